import { closeTogether } from '../../base/flow/close-all.ts';
import { createEvictor, type EvictorOptions } from '../../cache/eviction/evictor.ts';
import { createPlanThread } from '../../cache/eviction/plan-thread.ts';
import { createPlanner, type Planner } from '../../cache/eviction/planner.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import { createScrubber } from '../../cache/scrub/scrubber.ts';
import type { Config } from '../../config/load.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Store } from '../../store/store.ts';
import type { Log } from '../../telemetry/log.ts';
import type { MeteredEvents } from '../../telemetry/metrics/metrics.ts';

export interface ConfiguredUpkeep {
  /** Begins to measure, scrub and evict, for all who share the store from this machine. */
  start(): void;
  close(): Promise<void>;
}

export interface UpkeepParts {
  readonly cache: CacheContext;
  /** Those in force. */
  readonly registries: () => Iterable<CachedRegistry>;
  readonly events: MeteredEvents;
}

/** Without eviction the store's size is only a metric, not worth frequent listings. */
const measuring = { maxBytes: Number.POSITIVE_INFINITY, everyMs: 3_600_000 };

/**
 * Measures and scrubs the store, and evicts where the configuration says how much it may hold.
 * Before it starts it only adds what this process stored to the common total.
 */
export function createUpkeep({ eviction, store }: Config, parts: UpkeepParts): ConfiguredUpkeep {
  const { cache, registries, events } = parts;
  const deleted = (digest: Digest): void => {
    cache.memory.delete(digest);
    cache.copies.forget(digest);
    for (const registry of registries()) registry.forget(digest);
  };
  const common = { store: cache.medium, instance: cache.instance, events, deleted };
  const sizes: Pick<EvictorOptions, 'maxBytes' | 'everyMs'> =
    eviction.maxBytes === undefined ? measuring : { maxBytes: eviction.maxBytes };
  const adding = setInterval(() => void cache.total.flush().catch(() => undefined), eviction.everyMs).unref();
  const running = [
    createEvictor({
      ...{ ...common, ...eviction, ...sizes },
      ...{ usage: cache.usage, isInUse: cache.isInUse, inUse: cache.inUse, total: cache.total },
      ...planning({ eviction, store }, events),
    }),
    ...(store.scrubEveryMs === false
      ? []
      : [
          createScrubber({
            ...common,
            everyMs: store.scrubEveryMs,
            bytesPerSecond: store.scrubBytesPerSecond,
            openReads: cache.openReads,
            verified: cache.copies.markVerified,
            clock: cache.now,
          }),
        ]),
  ];
  return {
    start() {
      clearInterval(adding);
      for (const each of running) each.start();
    },
    async close() {
      clearInterval(adding);
      await closeTogether(running.map((each) => () => each.close()));
    },
  };
}

/** A store outside of this process is walked by a thread. */
function planning(
  config: Pick<Config, 'eviction' | 'store'>,
  events: Pick<MeteredEvents, 'called'>,
): Pick<EvictorOptions, 'planner'> {
  const planner = threadPlanner(config, events);
  return planner === undefined ? {} : { planner };
}

/** Plans with the pins of the configuration; a store in memory is walked in this thread. */
export function configuredPlanner(config: Pick<Config, 'eviction' | 'store'>, medium: Store): Planner {
  return threadPlanner(config) ?? createPlanner({ store: medium, pins: config.eviction.pins });
}

function threadPlanner(
  { eviction, store }: Pick<Config, 'eviction' | 'store'>,
  events?: Pick<MeteredEvents, 'called'>,
): Planner | undefined {
  if ('memory' in store) return undefined;
  const place = 's3' in store ? { s3: store.s3 } : { filesystem: { path: store.filesystem.path } };
  const pins = eviction.pins.map(({ source }) => source);
  return createPlanThread({ place, pins, ...(events && { events }) });
}

/** Runs each once; what one removed, and why it could not, is in the log. */
export async function swept(sweeps: readonly (() => Promise<number>)[], log: Log): Promise<void> {
  for (const sweep of sweeps) {
    try {
      const leftovers = await sweep();
      if (leftovers > 0)
        log.info({ leftovers }, 'removed temporary files and uploads that an earlier run had left behind');
    } catch (error) {
      log.warn({ err: error }, 'cannot remove temporary files or uploads of an earlier run');
    }
  }
}

/** As long as a token may name them, and the day within which they are written anew. */
export function subjectsKeptMs({ hosts }: Config): number {
  const validities = Object.values(hosts).map(({ tokenValiditySeconds }) => tokenValiditySeconds);
  return (Math.max(0, ...validities) + 2 * 86_400) * 1000;
}
