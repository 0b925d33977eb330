import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Bytes, type Descriptor, verified } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { OpenBlob, RegistryReader } from '../../oci/registry-reader.ts';
import { type DirectoryLayout, heldManifest } from './directory-layout.ts';
import { disk } from './whole-file.ts';

const readBytes = 1024 * 1024;

/** A directory as source. Damaged files are absent. It has no referrers API. */
export function directoryReader(layout: DirectoryLayout): Omit<RegistryReader, 'statBlob'> {
  return {
    name: layout.name,
    async manifest(repository, reference, { method, etag } = {}) {
      const found = await heldManifest(layout, repository, reference);
      if (found === undefined) return { kind: 'absent' };
      const { descriptor, bytes } = found;
      if (etag === descriptor.digest) return { kind: 'unchanged' };
      const known = { descriptor, etag: descriptor.digest, warnings: [] };
      return { kind: 'found', ...known, ...(method === 'HEAD' ? {} : { bytes }) };
    },
    openBlob: (repository, digest, options) =>
      openedFile(layout.blobPath(repository, digest), digest, options?.start),
    async tags(repository) {
      const tags = await layout.tags(repository);
      return tags && { tags, warnings: [] };
    },
    referrers: async () => undefined,
  };
}

/** Verified while it is read from its start; a resuming reader has read the beginning before. */
async function openedFile(path: string, digest: Digest, start = 0): Promise<OpenBlob | undefined> {
  const found = await disk.ifPresent(stat(path));
  if (found === undefined || !found.isFile()) return undefined;
  const stream = createReadStream(path, { start, highWaterMark: readBytes });
  stream.on('error', () => {});
  const { size } = found;
  const bytes = streamBytes(stream);
  return {
    size,
    body: start === 0 ? undamaged(bytes, { digest, size }) : bytes,
    close: () => void stream.destroy(),
  };
}

async function* streamBytes(stream: Readable): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    await disk.read(Promise.reject(error));
  }
}

async function* undamaged(bytes: Bytes, descriptor: Descriptor): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* verified(bytes, descriptor);
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'UPSTREAM_INVALID') throw error;
    throw new RegistryError('BLOB_UNKNOWN', 'the file does not match the digest in its name', {
      cause: error,
    });
  }
}
