import type { ContentProofs, ContentTags } from '../../auth/access.ts';
import type { HeldManifest } from '../../cache/manifests/manifests.ts';
import { createRepositoryIndex } from '../../cache/records/repository-index.ts';
import { createTagPointers } from '../../cache/records/tag-pointers.ts';
import { createTagIndex } from '../../cache/registry/tag-index.ts';
import { collected } from '../../oci/content.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { maxManifestBytes, parseManifest } from '../../oci/manifest.ts';
import type { Store } from '../../store/store.ts';

/** How content hangs together, read from a store that servers may use meanwhile. */
export interface StoredTagIndex extends ContentTags, ContentProofs {
  close(): Promise<void>;
}

/** Asks no upstream and writes nothing: missing knowledge is `UNAVAILABLE`. */
export function createStoredTagIndex(store: Store, formerMs: (upstream: string) => number): StoredTagIndex {
  const events = { storeFailed: () => {} };
  const members = createRepositoryIndex({ records: store.records, events });
  const pointers = createTagPointers({
    records: store.records,
    maxEntries: 1_000,
    confirmEveryMs: 0,
    events,
  });
  const stored = (_repository: unknown, digest: Digest) => storedManifest(store, digest);
  async function read(_repository: unknown, digest: Digest): Promise<HeldManifest> {
    const found = await storedManifest(store, digest);
    if (found === undefined) throw untold(`the store does not hold ${digest}`);
    return found;
  }
  const registry = {
    reading: { peek: () => undefined, stored, read },
    tagged: {
      ready: () => undefined,
      resolve: () => Promise.reject(untold('the cached tag is stale: pull it once, then check again')),
      settled: () => Promise.resolve(),
    },
    tagAtUpstream: () => Promise.reject(untold('no upstream is asked here')),
  };
  return {
    ...createTagIndex({
      membership: members,
      tags: pointers,
      registry: () => registry,
      formerMs,
      now: Date.now,
    }),
    async close() {
      await members.close();
      await pointers.close();
    },
  };
}

async function storedManifest({ blobs }: Store, digest: Digest): Promise<HeldManifest | undefined> {
  const content = await blobs.open(digest);
  if (content === undefined) return undefined;
  const bytes = await collected(content.body, maxManifestBytes);
  if (digestOf(bytes) !== digest) throw untold(`the stored content does not match ${digest}`);
  const { mediaType } = parseManifest(bytes, undefined);
  return { descriptor: { digest, size: bytes.byteLength, mediaType }, bytes, hit: 'store' };
}

function untold(why: string): RegistryError {
  return new RegistryError('UNAVAILABLE', why);
}
