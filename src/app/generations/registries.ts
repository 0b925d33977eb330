import { closeTogether } from '../../base/flow/close-all.ts';
import { createLru } from '../../base/state/lru.ts';
import { defined } from '../../base/text/defined.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import { type CachedRegistry, createCachedRegistry } from '../../cache/registry/registry.ts';
import { createTagIndex, type TagIndex } from '../../cache/registry/tag-index.ts';
import type { UpstreamConfig } from '../../config/config.ts';
import type { Config, Environment } from '../../config/load.ts';
import { type AskedUpstream, askedOnce } from '../../fleet/asked-once.ts';
import type { Askers } from '../../fleet/elsewhere.ts';
import type { MeteredEvents } from '../../telemetry/metrics/metrics.ts';
import { createUpstream } from '../../upstream/client/client.ts';
import type { CredentialHelpers } from '../../upstream/helpers/helpers.ts';
import { type CountedUpstream, countedUpstream } from '../../upstream/in-use.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { AllMembers } from '../replicas/members.ts';

const absentEntries = 10_000;

interface UpstreamParts {
  readonly env: Environment;
  readonly events: MeteredEvents;
  readonly helpers: CredentialHelpers;
  /** The part of the limits that is this process's. Default: all. */
  readonly share?: (() => number) | undefined;
}

/** The connection to an upstream, without sources of what it lacks. */
export function configuredUpstream(
  name: string,
  settings: UpstreamConfig,
  { share, ...parts }: UpstreamParts,
): CountedUpstream {
  return countedUpstream(createUpstream({ ...settings, ...parts, name, ...(share && { share }) }));
}

/** The settings of which a connection is made, and not of what is answered from it. */
export function connectionSettings({
  tags: _tags,
  repositories: _repositories,
  library: _library,
  withholdMs: _withholdMs,
  fetchChildren: _fetchChildren,
  ...connection
}: UpstreamConfig): unknown {
  return connection;
}

/** One upstream behind the cache. */
export interface ConfiguredRegistry {
  /** As clients see it. */
  readonly registry: CachedRegistry;
  /** What this process asks for other members. Default: there are none. */
  readonly asked?: AskedUpstream;
  /** As those see it who ask in place of clients; the same for the same upstream. */
  forMembers(upstream: Upstream, askers: Askers): CachedRegistry;
  /** Resolves once nothing is written behind answers any more. */
  settled(): Promise<void>;
}

interface RegistryParts {
  readonly cache: CacheContext;
  /** The upstream, with sources of what it lacks. */
  readonly filled: Upstream;
  readonly fleet: Pick<AllMembers, 'joined'> | undefined;
}

/** An upstream behind the cache. What it lacks is known once, for all who ask it. */
export function configuredRegistry(
  { tags: policy, withholdMs, fetchChildren }: UpstreamConfig,
  { cache, filled, fleet }: RegistryParts,
): ConfiguredRegistry {
  const absent = createLru<string, string>(absentEntries, { keepMs: policy.negativeMs });
  const common = { ...cache, policy, absent, withholdMs, fetchChildren };
  const asked = fleet && askedOnce(filled);
  const upstream = asked === undefined ? filled : (fleet?.joined(asked) ?? filled);
  const registry = createCachedRegistry({ ...common, upstream });
  const others = new Map<Askers, CachedRegistry>();
  return {
    registry,
    ...defined({ asked }),
    forMembers(upstream, askers) {
      const known = others.get(askers);
      const made =
        known?.upstream === upstream ? known : createCachedRegistry({ ...common, upstream, askers });
      others.set(askers, made);
      return made;
    },
    settled: () => closeTogether([registry, ...others.values()].map((each) => () => each.settled())),
  };
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
