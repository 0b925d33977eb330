import type { LRUCache } from 'lru-cache';
import { createLru } from '../base/state/lru.ts';
import type { CacheContext } from '../cache/registry/context.ts';
import { type CachedRegistry, createCachedRegistry } from '../cache/registry/registry.ts';
import { createTagIndex, type TagIndex } from '../cache/registry/tag-index.ts';
import type { Config, Environment } from '../config/load.ts';
import type { Askers } from '../fleet/elsewhere.ts';
import type { MeteredEvents } from '../telemetry/metrics/metrics.ts';
import { createUpstream } from '../upstream/client/client.ts';
import type { Upstream } from '../upstream/upstream.ts';

const absentEntries = 10_000;

/** What each upstream lacks, for as long as that is believed: one for all who ask it. */
export type Absences = ReadonlyMap<string, LRUCache<string, string>>;

/** Nothing is known to be absent yet. */
export function createAbsences(config: Config): Absences {
  return new Map(
    Object.keys(config.upstreams).map((name) => {
      const { negativeMs } = config.upstreams[name]?.tags ?? config.tags;
      return [name, createLru<string, string>(absentEntries, { keepMs: negativeMs })];
    }),
  );
}

interface RegistriesOptions {
  readonly absences: Absences;
  /** Which members of the fleet ask. Default: clients do. */
  readonly askers?: Askers;
}

/** The upstreams of the settings, without sources of what they lack. */
export function configuredUpstreams(
  config: Config,
  env: Environment,
  events: MeteredEvents,
  share?: () => number,
): Upstream[] {
  return Object.entries(config.upstreams).map(([name, options]) =>
    createUpstream({ ...options, name, env, events, ...(share && { share }) }),
  );
}

/** Each upstream as clients see it, or as the other replicas of a fleet do. */
export function cachedRegistries(
  config: Config,
  cache: CacheContext,
  upstreams: readonly Upstream[],
  { absences, askers }: RegistriesOptions,
): readonly CachedRegistry[] {
  return upstreams.map((upstream) => {
    const policy = config.upstreams[upstream.name]?.tags ?? config.tags;
    const absent = absences.get(upstream.name) ?? createLru<string, string>(absentEntries);
    const { withholdMs = 60_000, fetchChildren = true } = config.upstreams[upstream.name] ?? {};
    return createCachedRegistry({
      ...cache,
      upstream,
      policy,
      absent,
      withholdMs,
      fetchChildren,
      askers,
    });
  });
}

/** How long another process may take to write what it learned, milliseconds. */
const otherLagMs = 1_000;

/** Which tags lead to content. `isAmongWorkers`: other processes use the store of this machine. */
export function configuredTagIndex(
  config: Config,
  cache: CacheContext,
  registry: (name: string) => CachedRegistry | undefined,
  isAmongWorkers: boolean,
): TagIndex {
  return createTagIndex({
    ...cache,
    registry,
    formerMs: (upstream) => config.upstreams[upstream]?.tags.formerMs ?? 0,
    lagMs: isAmongWorkers || 's3' in config.store ? otherLagMs : 0,
  });
}
