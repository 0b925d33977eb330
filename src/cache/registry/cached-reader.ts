import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { bytesOf } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { BlobOptions, OpenBlob, RegistryReader } from '../../oci/registry-reader.ts';
import type { PulledBlobs } from '../blobs/pulled-blobs.ts';
import type { HeldManifest, ManifestReading } from '../manifests/manifests.ts';

interface ByDigest {
  readonly reading: Pick<ManifestReading, 'read'>;
  readonly blobs: Pick<PulledBlobs, 'open'>;
}

export interface CachedReaderOptions {
  /**
   * Content that is read through the cache; the rest bypasses it and is not stored. Default: all,
   * for an image that a client is pulling now. A mirror that copies unrequested images would fill
   * the store: then say what is stored or being downloaded.
   */
  readonly isCached?: (digest: Digest) => MaybePromise<boolean>;
  /** Whether a blob waits for a running download; see BlobReadOptions. Default false. */
  readonly follows?: boolean;
}

/**
 * `past` behind a cache of the same registry: content stored or being downloaded is not requested
 * again, for clients, the store and every copy. Tags, listings and HEAD ask `past`.
 */
export function cachedReader(
  past: RegistryReader,
  { reading, blobs }: ByDigest,
  { isCached = () => true, follows = false }: CachedReaderOptions = {},
): RegistryReader {
  async function held(repository: Repository, digest: Digest): Promise<HeldManifest | undefined> {
    if (!(await isCached(digest))) return undefined;
    return unless('MANIFEST_UNKNOWN', reading.read(repository, digest));
  }

  return {
    name: past.name,
    async manifest(repository, reference, options = {}) {
      if (options.method === 'HEAD') return past.manifest(repository, reference, options);
      const { digest } = reference;
      if (digest !== undefined) {
        const manifest = await held(repository, digest);
        if (manifest === undefined) return past.manifest(repository, reference, options);
        return { kind: 'found', descriptor: manifest.descriptor, bytes: manifest.bytes, warnings: [] };
      }
      const head = await past.manifest(repository, reference, { ...options, method: 'HEAD' });
      if (head.kind !== 'found') return head;
      const manifest = await held(repository, head.descriptor.digest);
      return manifest === undefined
        ? past.manifest(repository, reference, options)
        : { ...head, descriptor: manifest.descriptor, bytes: manifest.bytes };
    },
    statBlob: (repository, digest, options) => past.statBlob(repository, digest, options),
    async openBlob(repository, digest, options = {}) {
      if (!(await isCached(digest))) return past.openBlob(repository, digest, options);
      return unless('BLOB_UNKNOWN', opened(blobs, repository, digest, { ...options, follows }));
    },
    tags: (repository, query, options) => past.tags(repository, query, options),
    referrers: (repository, digest, query, options) => past.referrers(repository, digest, query, options),
  };
}

async function opened(
  blobs: ByDigest['blobs'],
  repository: Repository,
  digest: Digest,
  { start = 0, end, signal, follows }: BlobOptions & { readonly follows: boolean },
): Promise<OpenBlob> {
  const { descriptor, read } = await blobs.open(repository, digest);
  const range = { start, end: Math.min(end ?? Number.POSITIVE_INFINITY, descriptor.size - 1) };
  const closing = new AbortController();
  const ends = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
  return {
    size: descriptor.size,
    body: start <= range.end ? read(range, { signal: ends, follows }) : bytesOf(new Uint8Array()),
    close: () => closing.abort(),
  };
}

/** Undefined where the cache answers with that code. */
async function unless<Value>(code: string, answer: Promise<Value>): Promise<Value | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RegistryError && error.code === code) return undefined;
    throw error;
  }
}
