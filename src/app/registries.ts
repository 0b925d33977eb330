import { createLru } from '../base/state/lru.ts';
import type { CacheContext } from '../cache/registry/context.ts';
import { type CachedRegistry, createCachedRegistry } from '../cache/registry/registry.ts';
import type { Config, Environment } from '../config/load.ts';
import type { MeteredEvents } from '../telemetry/metrics.ts';
import { createUpstream } from '../upstream/client/client.ts';
import type { Upstream } from '../upstream/upstream.ts';

const absentEntries = 10_000;

/** The upstreams of the settings, without sources of what they lack. */
export function configuredUpstreams(config: Config, env: Environment, events: MeteredEvents): Upstream[] {
  return Object.entries(config.upstreams).map(([name, options]) =>
    createUpstream({ ...options, name, env, events }),
  );
}

/** Each upstream as clients see it. */
export function cachedRegistries(
  config: Config,
  cache: CacheContext,
  upstreams: readonly Upstream[],
): readonly CachedRegistry[] {
  return upstreams.map((upstream) => {
    const policy = config.upstreams[upstream.name]?.tags ?? config.tags;
    const absent = createLru<string, string>(absentEntries, { keepMs: policy.negativeMs });
    const { withholdMs = 60_000, fetchChildren = true } = config.upstreams[upstream.name] ?? {};
    return createCachedRegistry({ ...cache, upstream, policy, absent, withholdMs, fetchChildren });
  });
}
