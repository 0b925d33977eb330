import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Test } from 'tap';
import { createVerifiedStore, type Verifies } from '../../src/cache/blobs/verified-store.ts';
import type { CacheEvents } from '../../src/cache/events.ts';
import { createFills } from '../../src/cache/fills/fills.ts';
import { createSpool } from '../../src/cache/fills/spool.ts';
import type { TagPolicy } from '../../src/cache/records/freshness.ts';
import { createParsedManifests } from '../../src/cache/records/parsed.ts';
import { createRepositoryIndex, type RepositoryIndex } from '../../src/cache/records/repository-index.ts';
import { createTagPointers, type TagPointers } from '../../src/cache/records/tag-pointers.ts';
import { type CachedRegistry, createCachedRegistry } from '../../src/cache/registry/registry.ts';
import { createTagIndex, type TagIndex } from '../../src/cache/registry/tag-index.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseRepository, parseTag, type Repository, type Tag } from '../../src/oci/reference.ts';
import { createBufferPool } from '../../src/store/buffers.ts';
import { createTempFiles } from '../../src/store/filesystem/temp-files.ts';
import type { RepositoryScope } from '../../src/store/keys.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { createUpstream } from '../../src/upstream/client/client.ts';
import { type RegistryDouble, registryDouble } from './registry-double.ts';

/** A cache over one misbehaving registry, with a clock that the test turns. */
export interface CacheRig {
  readonly double: RegistryDouble;
  readonly registry: CachedRegistry;
  readonly reach: TagIndex;
  readonly membership: RepositoryIndex;
  readonly store: Store;
  /** What the cache reported, in order: the event's name and what it carried. */
  readonly events: readonly (readonly [name: string, event: unknown])[];
  /** What counts as used, in order. */
  readonly touched: readonly Digest[];
  readonly repository: Repository;
  tag(text: string): Tag;
  /** Turns the clock. */
  pass(ms: number): void;
  /** How often the upstream was asked for something that contains the text. */
  asked(text: string): number;
  /** Everything behind the answers is done. */
  settled(): Promise<void>;
  /** A second cache on the same store and upstream, with nothing in memory: after a restart. */
  restarted(): Promise<CachedRegistry>;
  /** The same with all its parts; the first one works on, as a replica does. */
  replica(): Cache;
}

/** A cache of the rig. */
export interface Cache {
  readonly registry: CachedRegistry;
  readonly reach: TagIndex;
  readonly membership: RepositoryIndex;
  readonly tags: TagPointers;
  settled(): Promise<void>;
}

export interface CacheRigOptions {
  readonly store?: Store;
  readonly spoolBytes?: number;
  /** Where the spool is; a fresh directory without. */
  readonly spoolDirectory?: string;
  readonly policy?: Partial<TagPolicy>;
  /** Larger content is not kept in memory, bytes. */
  readonly maxEntryBytes?: number;
  /** Which whole reads of stored blobs are hashed. */
  readonly verifies?: Verifies;
  /** Default: true. */
  readonly fetchChildren?: boolean;
  /** Default: 60,000. */
  readonly withholdMs?: number;
  /** How long the upstream may be silent, milliseconds. Default: as long as a test takes. */
  readonly silenceMs?: number;
  /** The scopes of tags; the same for all without. */
  readonly scopeOf?: (scope: RepositoryScope, tag: Tag) => string;
  readonly formerMs?: number;
  /** Whether a trusted image stream names the manifest. */
  readonly isRoot?: (scope: RepositoryScope, digest: Digest) => boolean;
  /** Digests that are known in memory, and records that wait to be written. */
  readonly maxMembers?: number;
  readonly maxWaiting?: number;
  /** Of the first cache; 0 writes members as earlier versions did. Replicas have the default. */
  readonly maxJointBytes?: number;
}

const policy: TagPolicy = {
  freshMs: 30_000,
  refreshBehindMs: 30_000,
  staleMs: 3_600_000,
  negativeMs: 5_000,
  immutable: [/^\d{14}_prune_/],
  gone: 'hide',
};

/** A rig that ends with its test. */
export async function cacheRig(t: Test, options: CacheRigOptions = {}): Promise<CacheRig> {
  const double = await registryDouble();
  const store = options.store ?? createMemoryStore();
  const events: [string, unknown][] = [];
  const report = recorder(events);
  const touched: Digest[] = [];
  const clock = { now: 1_000_000_000_000 };
  const closers: (() => Promise<void>)[] = [() => double.close()];

  function cache(directory: string, maxJointBytes?: number): Cache {
    const upstream = createUpstream({
      name: 'quay.io',
      url: double.url,
      allowPrivateAddresses: true,
      progressTimeoutMs: options.silenceMs ?? 60_000,
      firstByteTimeoutMs: options.silenceMs ?? 60_000,
      retries: 1,
      random: () => 0,
      now: () => clock.now + performance.now(),
      breaker: { failures: 3, openMs: 200 },
    });
    const members = createRepositoryIndex({
      records: store.records,
      clock: () => clock.now,
      isWritable: store.isUsable,
      ...(options.maxMembers === undefined ? {} : { maxEntries: options.maxMembers }),
      ...(options.maxWaiting === undefined ? {} : { maxWaiting: options.maxWaiting }),
      ...(options.scopeOf === undefined ? {} : { scopeOf: options.scopeOf }),
      ...(maxJointBytes === undefined ? {} : { maxJointBytes }),
    });
    const pointers = createTagPointers({
      records: store.records,
      maxEntries: 1_000,
      confirmEveryMs: 60_000,
      events: report,
      now: () => clock.now,
    });
    const downloads = createFills({
      spool: createSpool({
        directory,
        maxBytes: options.spoolBytes ?? 1e9,
        files: createTempFiles(directory),
        buffers: createBufferPool(),
        changed: (bytes) => report.spoolChanged({ bytes }),
      }),
      store: store.blobs,
      events: report,
    });
    const parsed = createParsedManifests();
    const registry = createCachedRegistry({
      upstream,
      membership: members,
      tags: pointers,
      store: store.blobs,
      copies: createVerifiedStore({
        store: store.blobs,
        events: report,
        ...(options.verifies === undefined ? {} : { verifies: options.verifies }),
      }),
      fills: downloads,
      memory: new LRUCache<Digest, Uint8Array>({
        maxSize: 8e6,
        maxEntrySize: options.maxEntryBytes ?? 131_072,
        sizeCalculation: (bytes) => bytes.byteLength || 1,
      }),
      parsed,
      pages: new LRUCache({ max: 100 }),
      tagLists: new LRUCache({ max: 100 }),
      events: report,
      touched: (digest) => void touched.push(digest),
      now: () => clock.now,
      withholdMs: options.withholdMs ?? 60_000,
      fetchChildren: options.fetchChildren ?? true,
      ...(options.isRoot === undefined ? {} : { isRoot: options.isRoot }),
      policy: { ...policy, ...options.policy, historyEntries: 5 },
      absent: new LRUCache({
        max: 100,
        ttl: policy.negativeMs,
        ttlResolution: 0,
        perf: { now: () => clock.now },
      }),
    });
    const settled = async (): Promise<void> => {
      await registry.settled();
      await downloads.settled();
      await members.settled();
      await pointers.settled();
    };
    closers.unshift(async () => {
      await downloads.abort();
      await registry.settled();
      await members.close();
      await pointers.close();
      await upstream.close();
    });
    const reaching = createTagIndex({
      membership: members,
      tags: pointers,
      parsed,
      registry: (name) => (name === 'quay.io' ? registry : undefined),
      now: () => clock.now,
      lagMs: 20,
      formerMs: () => options.formerMs ?? 7 * 86_400_000,
    });
    return { registry, reach: reaching, membership: members, tags: pointers, settled };
  }

  const first = cache(options.spoolDirectory ?? join(t.testdir(), 'spool'), options.maxJointBytes);
  t.teardown(async () => {
    for (const close of closers) await close();
  });
  return {
    double,
    registry: first.registry,
    reach: first.reach,
    membership: first.membership,
    store,
    events,
    touched,
    repository: parseRepository('openshift/ci'),
    tag: parseTag,
    pass: (ms) => {
      clock.now += ms;
    },
    asked: (text) => double.seen(text).length,
    settled: first.settled,
    async restarted() {
      await first.settled();
      return cache(join(t.testdirName, 'second-spool')).registry;
    },
    replica: () => cache(join(t.testdirName, 'second-spool')),
  };
}

function recorder(events: [string, unknown][]): CacheEvents {
  const take = (name: string) => (event?: unknown) => void events.push([name, event]);
  return {
    read: take('read'),
    fillStarted: take('fillStarted'),
    fillEnded: take('fillEnded'),
    joined: take('joined'),
    spoolChanged: take('spoolChanged'),
    repaired: take('repaired'),
    storeFailed: take('storeFailed'),
  };
}
