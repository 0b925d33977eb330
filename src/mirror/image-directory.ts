import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { type Bytes, bytesOf, type Descriptor, verified } from '../oci/content.ts';
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isManifestType, type Manifest, maxManifestBytes, parseManifest } from '../oci/manifest.ts';
import type { Reference, Repository, Tag } from '../oci/reference.ts';
import { referrersTag } from '../oci/referrers-tag.ts';
import { namedBytes } from '../oci/schema1.ts';
import type { UpstreamBlob } from '../upstream/upstream.ts';
import { ifThere, linkWhole, onDisk, sweepDownloads, writeWhole } from './durable.ts';
import type { ImageDestination, ImageSource, ManifestBytes } from './ends.ts';
import { fileChecks } from './file-checks.ts';

/** How a directory arranges what it holds. */
export interface DirectoryLayout {
  /** The directory, as messages call it. */
  readonly name: string;
  blobPath(repository: Repository, digest: Digest): string;
  /** The file with a manifest's bytes. */
  manifestPath(repository: Repository, digest: Digest): string;
  tagged(repository: Repository, tag: Tag): Promise<Digest | undefined>;
  /** Every tag; undefined when there is no such repository. */
  tags(repository: Repository): Promise<readonly Tag[] | undefined>;
  /** Makes a manifest, whose bytes lie at `blobPath`, one of the repository, under its digest and the tag. */
  publish(
    repository: Repository,
    manifest: ManifestBytes,
    parsed: Manifest,
    tag: Tag | undefined,
  ): Promise<void>;
}

/** A directory of images, to copy from and to. */
export type ImageDirectory = ImageSource & ImageDestination;

interface Held extends ManifestBytes {
  readonly parsed: Manifest;
}

const readBytes = 1024 * 1024;

/**
 * Images as files. A file counts only if its bytes are what its name says, which is read once by each process; a manifest counts
 * only if that holds for everything it names, so that an image that lost a layer is copied again. What is written is on the disk
 * before it has its name.
 */
export function imageDirectory(layout: DirectoryLayout): ImageDirectory {
  const checks = fileChecks();
  const swept = new Map<string, Promise<void>>();
  /** Written by us over children that the caller left out, and so not whole. */
  const written = new Set<string>();

  async function digestFor(repository: Repository, reference: Reference): Promise<Digest | undefined> {
    return reference.digest ?? (await layout.tagged(repository, reference.tag));
  }

  async function held(repository: Repository, digest: Digest | undefined): Promise<Held | undefined> {
    return digest === undefined ? undefined : heldManifest(layout.manifestPath(repository, digest), digest);
  }

  async function missingBlob(repository: Repository, { blobs }: Manifest, signal?: AbortSignal) {
    for (const blob of blobs) {
      signal?.throwIfAborted();
      if (!(await hasBlob(repository, blob, signal))) return blob;
    }
    return undefined;
  }

  async function hasBlob(repository: Repository, { digest, size }: Descriptor, signal?: AbortSignal) {
    const found = await checks.check(layout.blobPath(repository, digest), digest, signal);
    return found !== undefined && (size < 0 || found.size === size);
  }

  async function isWhole(
    repository: Repository,
    { descriptor, parsed }: Held,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (written.has(`${repository}@${descriptor.digest}`)) return true;
    for (const child of parsed.children) {
      const found = await held(repository, child.digest);
      if (found === undefined || !(await isWhole(repository, found, signal))) return false;
    }
    return (await missingBlob(repository, parsed, signal)) === undefined;
  }

  async function sweepOnce(directory: string): Promise<void> {
    const sweeping = swept.get(directory) ?? sweepDownloads(directory);
    swept.set(directory, sweeping);
    await sweeping;
  }

  return {
    name: layout.name,
    async manifest(repository, reference, { method, etag } = {}) {
      const found = await held(repository, await digestFor(repository, reference));
      if (found === undefined) return { kind: 'absent' };
      const { descriptor, bytes } = found;
      if (etag === descriptor.digest) return { kind: 'unchanged' };
      return {
        kind: 'found',
        descriptor,
        ...(method === 'HEAD' ? {} : { bytes }),
        etag: descriptor.digest,
        warnings: [],
      };
    },
    openBlob: (repository, digest, options) =>
      openedFile(layout.blobPath(repository, digest), digest, options?.start),
    async *tags(repository) {
      const tags = await layout.tags(repository);
      if (tags === undefined)
        throw new RegistryError('NAME_UNKNOWN', `${layout.name} has no repository ${repository}`);
      yield* tags;
    },
    async referrers(repository, digest) {
      const found = await held(repository, await layout.tagged(repository, referrersTag(digest)));
      return found?.parsed.children ?? [];
    },
    async statManifest(repository, reference, { signal } = {}) {
      const found = await held(repository, await digestFor(repository, reference));
      return found !== undefined && (await isWhole(repository, found, signal)) ? found.descriptor : undefined;
    },
    statBlob: (repository, digest, { signal } = {}) =>
      checks.check(layout.blobPath(repository, digest), digest, signal),
    async mountBlob(repository, digest, from, { signal } = {}) {
      const existing = layout.blobPath(from, digest);
      if ((await checks.check(existing, digest, signal)) === undefined) return false;
      const path = layout.blobPath(repository, digest);
      return path === existing || linkWhole(path, existing);
    },
    async putBlob(repository, descriptor, opened, { signal } = {}) {
      const path = layout.blobPath(repository, descriptor.digest);
      await sweepOnce(dirname(path));
      await writeWhole(path, verified(abortable(await opened(0), signal), descriptor));
      await checks.trust(path, descriptor.digest);
    },
    async putManifest(repository, reference, manifest, { signal } = {}) {
      const { descriptor, bytes } = manifest;
      const parsed = namedParts(bytes, descriptor.mediaType);
      const missing = await missingBlob(repository, parsed, signal);
      if (missing !== undefined) throw missingIn(layout.name, repository, missing.digest);
      await writeWhole(layout.blobPath(repository, descriptor.digest), bytesOf(bytes));
      await layout.publish(repository, manifest, parsed, reference.tag);
      written.add(`${repository}@${descriptor.digest}`);
    },
  };
}

/** Undefined for a file that is not there, or does not hold the manifest that its name says. */
async function heldManifest(path: string, digest: Digest): Promise<Held | undefined> {
  const found = await ifThere(stat(path));
  if (found === undefined || found.size > maxManifestBytes) return undefined;
  const bytes = await onDisk(readFile(path));
  const parsed = parsedOrNone(bytes);
  if (parsed === undefined || digestOf(namedBytes(bytes, parsed.mediaType), algorithmOf(digest)) !== digest)
    return undefined;
  return { descriptor: { digest, size: bytes.byteLength, mediaType: parsed.mediaType }, bytes, parsed };
}

/** What is not known by type, or says none, names nothing that we could look for. */
function namedParts(bytes: Uint8Array, mediaType: string | undefined): Manifest {
  if (mediaType !== undefined && !isManifestType(mediaType)) return { mediaType, children: [], blobs: [] };
  return parseManifest(bytes, mediaType);
}

function parsedOrNone(bytes: Uint8Array): Manifest | undefined {
  try {
    const { mediaType } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { readonly mediaType?: unknown };
    return namedParts(bytes, typeof mediaType === 'string' ? mediaType : undefined);
  } catch {
    return undefined;
  }
}

/** From its start on a file is checked while it is read; one that is damaged is none. */
async function openedFile(path: string, digest: Digest, start = 0): Promise<UpstreamBlob | undefined> {
  const found = await ifThere(stat(path));
  if (found === undefined || !found.isFile()) return undefined;
  const stream = createReadStream(path, { start, highWaterMark: readBytes });
  stream.on('error', () => {});
  const { size } = found;
  const bytes = readBody(stream);
  return {
    size,
    body: start === 0 ? wholeBytes(bytes, { digest, size }) : bytes,
    close: () => void stream.destroy(),
  };
}

async function* readBody(stream: Readable): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    await onDisk(Promise.reject(error));
  }
}

async function* wholeBytes(
  bytes: Bytes,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* verified(bytes, descriptor);
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'UPSTREAM_INVALID') throw error;
    throw new RegistryError('BLOB_UNKNOWN', 'the file does not hold what its name says', { cause: error });
  }
}

async function* abortable(bytes: Bytes, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

function missingIn(name: string, repository: Repository, digest: Digest): RegistryError {
  return new RegistryError('MANIFEST_BLOB_UNKNOWN', `${name} does not hold ${digest} of ${repository}`, {
    detail: { digest, repository },
  });
}
