// Room `cache/registry`: one upstream as clients see it, made of the rooms beside. In: an upstream
// and the shared parts. Out: blobs, manifests, listings, and tags that lead to a digest. Imports:
// base, cache/blobs, cache/eviction, cache/fills, cache/listings, cache/manifests, cache/records,
// oci, store, store/filesystem; types of auth, cache, fleet, store/sending, upstream.

import type { LRUCache } from 'lru-cache';
import type { Clock } from '../../base/time/wait.ts';
import type { Askers } from '../../fleet/elsewhere.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../oci/reference.ts';
import type { ReferrersPage, RegistryReader } from '../../oci/registry-reader.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import type { CachedBlobs } from '../../store/store.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { BlobMembership } from '../blobs/blob-membership.ts';
import { blobsAlone } from '../blobs/blobs-alone.ts';
import { PullThrough } from '../blobs/pull-through.ts';
import type { PulledBlobs } from '../blobs/pulled-blobs.ts';
import { Undeliverable } from '../blobs/undeliverable.ts';
import type { VerifiedStore } from '../blobs/verified-store.ts';
import type { CacheEvents } from '../events.ts';
import type { Fills } from '../fills/fills.ts';
import type { RememberedPage } from '../listings/asked-pages.ts';
import { createListings, type Listings } from '../listings/listings.ts';
import type { HeldTags } from '../listings/tag-pages.ts';
import { ClientManifests } from '../manifests/client-manifests.ts';
import { createCompleteness } from '../manifests/completeness.ts';
import { FetchedBehind } from '../manifests/fetched-behind.ts';
import { createManifests, type ManifestReading } from '../manifests/manifests.ts';
import { createTagConfirmation, type TagConfirmation } from '../manifests/tag-confirmation.ts';
import { createTagResolver, type TagResolver } from '../manifests/tag-resolver.ts';
import type { TagPolicy } from '../records/freshness.ts';
import type { ParsedManifests } from '../records/parsed.ts';
import type { RepositoryIndex } from '../records/repository-index.ts';
import type { TagPointers } from '../records/tag-pointers.ts';
import { cachedReader } from './cached-reader.ts';

/** One upstream as clients see it through the cache. */
export interface CachedRegistry {
  readonly name: string;
  readonly blobs: PulledBlobs;
  readonly manifests: ClientManifests;
  /** What tags mean, for ourselves: whatever can be delivered of it. */
  readonly tagged: TagResolver;
  /** What a tag means at the upstream itself, for rights. */
  readonly tagAtUpstream: TagConfirmation;
  readonly listings: Listings;
  readonly reading: ManifestReading;
  /** Whether the repository is known to have the blob, and it is stored; asks no upstream. */
  isStored(repository: Repository, digest: Digest): Promise<boolean>;
  /** The registry read through this cache. */
  readonly reader: RegistryReader;
  /** What is behind the cache, for what is to go past it. */
  readonly upstream: Upstream;
  /** The digest left the store. */
  forget(digest: Digest): void;
  /** Resolves once refreshes and writes behind the answers have ended. */
  settled(): Promise<void>;
}

/** What all upstreams of one process share. */
export interface SharedContext {
  readonly membership: RepositoryIndex;
  readonly tags: TagPointers;
  readonly store: CachedBlobs;
  readonly copies: VerifiedStore;
  readonly fills: Fills;
  readonly memory: LRUCache<Digest, Uint8Array>;
  readonly parsed: ParsedManifests;
  readonly pages: LRUCache<string, RememberedPage<ReferrersPage>>;
  readonly tagLists: LRUCache<string, RememberedPage<HeldTags>>;
  readonly events: CacheEvents;
  readonly touched: (digest: Digest) => void;
  /** Whether a trusted image stream names the manifest: see ManifestsOptions. Default: no. */
  readonly isRoot?: (scope: RepositoryScope, digest: Digest) => boolean;
  /** Whether what another replica answers is stored by that one for all. Default: no. */
  readonly isStoredOnce?: boolean;
  readonly now: () => number;
  /** Clients wait for manifests and blobs by it. Default: the system's. */
  readonly clock?: Clock;
}

interface RegistryOptions extends SharedContext {
  readonly upstream: Upstream;
  readonly policy: TagPolicy & { readonly historyEntries: number };
  readonly absent: LRUCache<string, string>;
  /** How long manifests of failed content are withheld, milliseconds. Default 60,000. */
  readonly withholdMs?: number;
  /** Which members ask; see PullThroughOptions. Default: clients ask. */
  readonly askers?: Askers | undefined;
  /** Whether the children of an index are fetched behind its answer. Default: true. */
  readonly fetchChildren?: boolean;
}

/** A reader this far ahead of a download gets its own request; a nearer one waits. */
const near = { bytes: 8 * 1024 * 1024, ms: 2_000 };

/** How long a client waits for the upstream while an older answer is at hand. */
const patienceMs = 3_000;

/** A manifest is answered or refused within this. */
const longestMs = 5_000;

/**
 * Likewise the first byte of a blob. A client that is refused comes back four times, a second after
 * each refusal: with what is waited then all of it stays below 20 s.
 */
const patienceForBlobsMs = { first: 10_000, again: 500 };

/** Another replica's clients have their own patience, and its download goes on without them. */
const patienceForReplicasMs = { first: 300_000, again: 300_000 };

const completeManifests = 100_000;

/** The upstream, behind the cache. */
export function createCachedRegistry(options: RegistryOptions): CachedRegistry {
  const { upstream, policy, withholdMs = 60_000, fetchChildren: fetchesChildren = true } = options;
  const undeliverable = new Undeliverable({ ...options, withholdMs });
  const whole = createCompleteness({ ...options, undeliverable, maxEntries: completeManifests });
  const byDigest = createManifests(options);
  const { reading } = byDigest;
  const byTag = createTagResolver({
    ...options,
    manifests: byDigest,
    historyEntries: policy.historyEntries,
    patienceMs,
  });
  const throughCache = new PullThrough({
    ...options,
    members: new BlobMembership(options),
    near,
    undeliverable,
    patienceMs: options.askers !== undefined ? patienceForReplicasMs : patienceForBlobsMs,
  });
  const blobs = blobsAlone(throughCache, { ...options, readManifest: reading.read });
  const smallBytes = options.memory.maxEntrySize;
  const behind = new FetchedBehind({ ...options, reading, blobs, fetchesChildren, smallBytes });
  const answers = new ClientManifests({
    ...options,
    resolved: byTag,
    completeness: whole,
    undeliverable,
    behind,
    longestMs,
  });
  return {
    name: upstream.name,
    upstream,
    blobs,
    manifests: answers,
    tagged: byTag,
    tagAtUpstream: createTagConfirmation(options),
    listings: createListings({ ...options, manifests: byTag }),
    reading,
    async isStored(repository, digest) {
      const member = await options.membership.find({ upstream: upstream.name, repository }, digest);
      if (member === undefined) return false;
      return options.memory.has(digest) || (await options.copies.stat(digest)) !== undefined;
    },
    reader: cachedReader(upstream, { reading, blobs }),
    forget: whole.forget,
    async settled() {
      await byTag.settled();
      await behind.settled();
      await byDigest.settled();
    },
  };
}
