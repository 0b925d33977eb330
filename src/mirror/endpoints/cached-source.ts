import type { MaybePromise } from '../../base/maybe-promise.ts';
import type { PulledBlobs } from '../../cache/blobs/pulled-blobs.ts';
import type { HeldManifest } from '../../cache/manifests/manifests.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import { bytesOf } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { BlobOptions, UpstreamBlob } from '../../upstream/upstream.ts';
import type { ImageSource } from './endpoints.ts';

export interface CachedSourceOptions {
  /** The source without the cache: tags are always asked of it, and what its lists hold. */
  readonly source: ImageSource;
  /** The same registry behind the cache. */
  readonly registry: Pick<CachedRegistry, 'reading' | 'blobs'>;
  /**
   * What is read through the cache; the rest goes past it and is not kept. Default: all, for an image that somebody is pulling just now. A
   * mirror that copies what nobody asked for would fill the store with it: say what is stored or being downloaded.
   */
  readonly isCached?: (digest: Digest) => MaybePromise<boolean>;
}

/**
 * A source read through the cache: by digest whatever is stored or being downloaded is not asked for again, so one crossing of the wire
 * serves the clients, the store and the copy.
 */
export function cachedSource({ source, registry, isCached = () => true }: CachedSourceOptions): ImageSource {
  async function held(repository: Repository, digest: Digest): Promise<HeldManifest | undefined> {
    if (!(await isCached(digest))) return undefined;
    try {
      return await registry.reading.read(repository, digest);
    } catch (error) {
      if (isCode(error, 'MANIFEST_UNKNOWN')) return undefined;
      throw error;
    }
  }

  return {
    name: source.name,
    async manifest(repository, reference, options = {}) {
      if (options.method === 'HEAD') return source.manifest(repository, reference, options);
      const { digest } = reference;
      if (digest !== undefined) {
        const manifest = await held(repository, digest);
        if (manifest === undefined) return source.manifest(repository, reference, options);
        return { kind: 'found', descriptor: manifest.descriptor, bytes: manifest.bytes, warnings: [] };
      }
      const head = await source.manifest(repository, reference, { ...options, method: 'HEAD' });
      if (head.kind !== 'found') return head;
      const manifest = await held(repository, head.descriptor.digest);
      return manifest === undefined
        ? source.manifest(repository, reference, options)
        : { ...head, descriptor: manifest.descriptor, bytes: manifest.bytes };
    },
    async openBlob(repository, digest, options = {}) {
      if (!(await isCached(digest))) return source.openBlob(repository, digest, options);
      // A copy has time: it follows the download, however far ahead of it an upload is taken up
      // again.
      return cachedBlob(registry.blobs, repository, digest, { ...options, follows: true });
    },
    tags: (repository, options) => source.tags(repository, options),
    referrers: (repository, digest, options) => source.referrers(repository, digest, options),
  };
}

export interface CachedBlobOptions extends BlobOptions {
  /** As in BlobReadOptions. Default false. */
  readonly follows?: boolean;
}

/**
 * A blob behind a cache, as an upstream gives it; undefined when the repository has no such blob.
 */
export async function cachedBlob(
  blobs: PulledBlobs,
  repository: Repository,
  digest: Digest,
  { start = 0, end, signal, follows = false }: CachedBlobOptions = {},
): Promise<UpstreamBlob | undefined> {
  try {
    const { descriptor, read } = await blobs.open(repository, digest);
    const range = { start, end: Math.min(end ?? Number.POSITIVE_INFINITY, descriptor.size - 1) };
    const closing = new AbortController();
    const ends = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
    return {
      size: descriptor.size,
      body: start <= range.end ? read(range, { signal: ends, follows }) : bytesOf(new Uint8Array()),
      close: () => closing.abort(),
    };
  } catch (error) {
    if (isCode(error, 'BLOB_UNKNOWN')) return undefined;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof RegistryError && error.code === code;
}
