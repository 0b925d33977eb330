import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Test } from 'tap';
import { cachedReader } from '../../src/cache/registry/cached-reader.ts';
import { createCacheContext } from '../../src/cache/registry/context.ts';
import { type CachedRegistry, createCachedRegistry } from '../../src/cache/registry/registry.ts';
import type { MirrorConfig } from '../../src/mirror/ci/config-file.ts';
import type { ImageDestination } from '../../src/mirror/endpoints/endpoints.ts';
import { filledFromSource, type MissOptions, type MissOutcome } from '../../src/mirror/fallback/fallback.ts';
import { createMissRule } from '../../src/mirror/fallback/rule.ts';
import { createMissPlaces, type SourceRule } from '../../src/mirror/fallback/source-rules.ts';
import type { MirrorTask } from '../../src/mirror/queue/task.ts';
import { appCi } from '../../src/mirror/references/names.ts';
import { parseRepository, type Repository } from '../../src/oci/reference.ts';
import type { RegistryReader } from '../../src/oci/registry-reader.ts';
import { createBufferPool } from '../../src/store/buffers.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { CachedBlobs, Store } from '../../src/store/store.ts';
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts';
import { createUpstream } from '../../src/upstream/client/client.ts';
import { createRegistryWriter } from '../../src/upstream/push/writer.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { createManualClock } from './manual-clock.ts';
import { type RegistryDouble, registryDouble } from './registry-double.ts';

/** A cache before QCI and the registry of app.ci, both doubles. */
export interface MissCache {
  readonly qci: CachedRegistry;
  readonly source: CachedRegistry;
  /** What a copy of a miss reads from. */
  readonly copied: RegistryReader;
  /** Everything behind the answers is done. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface MissRig extends MissCache {
  readonly doubles: { readonly qci: RegistryDouble; readonly source: RegistryDouble };
  /** QCI, for writing. */
  readonly destination: ImageDestination;
  readonly repository: Repository;
  readonly tasks: readonly MirrorTask[];
  readonly outcomes: readonly MissOutcome[];
  readonly store: CachedBlobs;
  /** Turns the clock. */
  pass(ms: number): void;
  /** A process after this one, with nothing but the store. */
  restarted(): Promise<MissCache>;
}

export interface MissRigOptions extends Partial<MissOptions> {
  readonly config?: Partial<MirrorConfig>;
  /** Default: the preset of CI. */
  readonly sources?: readonly SourceRule[];
  /** Ends with the rig. Default: one in memory. */
  readonly medium?: Store;
  /** The spool's room, bytes. Default 1 GB. */
  readonly spoolBytes?: number;
}

const policy = {
  freshMs: 30_000,
  refreshBehindMs: 0,
  staleMs: 3_600_000,
  negativeMs: 1_000,
  immutable: [],
  gone: 'hide',
  historyEntries: 5,
} as const;

/** A rig that ends with its test. */
export async function missRig(
  t: Test,
  {
    config,
    sources = [{ preset: 'openshift-ci' }],
    medium: store = createMemoryStore(),
    spoolBytes = 1e9,
    ...options
  }: MissRigOptions = {},
): Promise<MissRig> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-misses-'));
  const doubles = { qci: await registryDouble(), source: await registryDouble() };
  const tasks: MirrorTask[] = [];
  const outcomes: MissOutcome[] = [];
  const clock = { now: 1_700_000_000_000 };
  const now = () => clock.now;
  const running = new Set<MissCache>();
  const mirrorConfig = { supplemental: [], ignored: [], ...config };
  const writer = createRegistryWriter({ name: 'quay.io', url: doubles.qci.url, allowPrivateAddresses: true });

  function started(): MissCache {
    const parts = createCacheContext({
      store,
      spool: { path: join(directory, `spool-${running.size}`), maxBytes: spoolBytes },
      memory: { maxBytes: 8e6, maxEntryBytes: 65_536 },
      buffers: createBufferPool(),
      events: createMetrics().events,
      clock: createManualClock(),
    });
    const registries = new Map<string, CachedRegistry>();
    const cached = (upstream: Upstream): CachedRegistry => {
      const perf = { now };
      const absent = new LRUCache<string, string>({
        max: 1_000,
        ttl: policy.negativeMs,
        ttlResolution: 0,
        perf,
      });
      const registry = createCachedRegistry({ ...parts, upstream, policy, absent, now });
      registries.set(registry.name, registry);
      return registry;
    };
    const passing = () => clock.now + performance.now();
    const plain = upstreamOf(appCi, doubles.source, passing);
    const filled = filledFromSource(upstreamOf('quay.io', doubles.qci, passing), {
      places: createMissPlaces(sources, {
        'openshift-ci': createMissRule(mirrorConfig),
        'config-file': createMissRule(mirrorConfig, { imageStreams: { test: () => false } }),
      }),
      origin: (registry) => registries.get(registry),
      membership: parts.membership,
      tags: parts.tags,
      async kept(repository, digest) {
        const own = registries.get('quay.io');
        if (own === undefined) throw new Error('the rig is not started');
        return own.manifests.resolve(repository, { digest });
      },
      isStored: async (digest) => (await store.blobs.stat(digest)) !== undefined,
      queue: {
        async put(task) {
          tasks.push(task);
          return true;
        },
      },
      events: { missed: ({ outcome }) => void outcomes.push(outcome) },
      now,
      ...options,
    });
    const [qci, source] = [cached(filled), cached(plain)];
    const settled = async (): Promise<void> => {
      await Promise.all([qci.settled(), source.settled(), parts.fills.settled()]);
      await Promise.all([parts.membership.settled(), parts.tags.settled()]);
    };
    const cache: MissCache = {
      qci,
      source,
      copied: cachedReader(plain, source, { follows: true }),
      settled,
      async close() {
        if (!running.delete(cache)) return;
        await parts.fills.abort();
        await settled();
        await Promise.all([filled.close(), plain.close()]);
        await parts.membership.close();
        await parts.tags.close();
      },
    };
    running.add(cache);
    return cache;
  }

  const first = started();
  t.teardown(async () => {
    for (const cache of running) await cache.close();
    await writer.close();
    await store.close();
    await Promise.all([doubles.qci.close(), doubles.source.close()]);
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  return {
    ...first,
    doubles,
    destination: writer,
    repository: parseRepository('openshift/ci'),
    tasks,
    outcomes,
    store: store.blobs,
    pass: (ms) => {
      clock.now += ms;
    },
    async restarted() {
      for (const cache of running) {
        await cache.settled();
        await cache.close();
      }
      return started();
    },
  };
}

function upstreamOf(name: string, { url }: RegistryDouble, now: () => number): Upstream {
  return createUpstream({
    name,
    url,
    now,
    allowPrivateAddresses: true,
    retries: 0,
    // Of no test: a busy machine is no slow upstream.
    firstByteTimeoutMs: 60_000,
    progressTimeoutMs: 60_000,
    stallTimeoutMs: 60_000,
    breaker: { failures: 1_000, openMs: 200 },
  });
}
