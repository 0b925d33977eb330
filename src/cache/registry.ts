import type { LRUCache } from 'lru-cache';
import type { Digest } from '../oci/digest.ts';
import type { Page, Upstream } from '../upstream/upstream.ts';
import type { RememberedPage } from './asked-pages.ts';
import { blobsAlone } from './blobs-alone.ts';
import { completeness } from './completeness.ts';
import type { CacheEvents } from './events.ts';
import type { Fills } from './fills.ts';
import type { TagPolicy } from './freshness.ts';
import { type Listings, listings } from './listings.ts';
import { type ManifestReading, manifests } from './manifests.ts';
import type { Membership } from './membership.ts';
import type { ParsedManifests } from './parsed.ts';
import { type PulledBlobs, pullThrough } from './pull-through.ts';
import type { CachedBlobs } from './store/store.ts';
import type { StoredCopies } from './stored.ts';
import type { HeldTags } from './tag-pages.ts';
import { type ResolvedManifests, tagged } from './tagged.ts';
import type { Tags } from './tags.ts';

/** One upstream as clients see it through the cache. */
export interface CachedRegistry {
  readonly name: string;
  readonly blobs: PulledBlobs;
  readonly manifests: ResolvedManifests;
  readonly listings: Listings;
  readonly reading: ManifestReading;
  /** What is behind the cache, for what is to go past it. */
  readonly upstream: Upstream;
  /** The digest left the store. */
  forget(digest: Digest): void;
  /** Resolves once refreshes and writes behind the answers have ended. */
  settled(): Promise<void>;
}

/** What all upstreams of one process share. */
export interface SharedParts {
  readonly membership: Membership;
  readonly tags: Tags;
  readonly store: CachedBlobs;
  readonly copies: StoredCopies;
  readonly fills: Fills;
  readonly memory: LRUCache<Digest, Uint8Array>;
  readonly parsed: ParsedManifests;
  readonly pages: LRUCache<string, RememberedPage<Page>>;
  readonly tagLists: LRUCache<string, RememberedPage<HeldTags>>;
  readonly events: CacheEvents;
  readonly touched: (digest: Digest) => void;
  readonly now: () => number;
}

export interface RegistryOptions extends SharedParts {
  readonly upstream: Upstream;
  readonly policy: TagPolicy & { readonly historyEntries: number };
  readonly absent: LRUCache<string, true>;
}

/** A reader this far ahead of a download gets a request of its own; nearer than either, it waits. */
const near = { bytes: 8 * 1024 * 1024, ms: 2_000 };

/** How long a client waits for the upstream while an older answer is at hand. */
const patienceMs = 3_000;

const completeManifests = 100_000;

/** The upstream, behind the cache. */
export function cachedRegistry(options: RegistryOptions): CachedRegistry {
  const { upstream, copies, policy } = options;
  const whole = completeness({
    upstream,
    copies,
    parsed: options.parsed,
    maxEntries: completeManifests,
    now: options.now,
  });
  const byDigest = manifests(options);
  const byTag = tagged({
    ...options,
    manifests: byDigest,
    completeness: whole,
    historyEntries: policy.historyEntries,
    patienceMs,
  });
  return {
    name: upstream.name,
    upstream,
    blobs: blobsAlone(pullThrough({ ...options, near }), { ...options, readManifest: byDigest.reading.read }),
    manifests: byTag,
    listings: listings({ ...options, manifests: byTag }),
    reading: byDigest.reading,
    forget: whole.forget,
    async settled() {
      await byTag.settled();
      await byDigest.settled();
    },
  };
}
