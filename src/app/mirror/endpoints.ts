import type { CacheParts } from '../../cache/registry/parts.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { MirrorSettings } from '../../config/config.ts';
import type { Config, Environment } from '../../config/load.ts';
import { cachedSource } from '../../mirror/endpoints/cached-source.ts';
import type { ImageDestination, ImageSource } from '../../mirror/endpoints/endpoints.ts';
import { imageSource } from '../../mirror/endpoints/image-source.ts';
import { taggedReferrers } from '../../mirror/endpoints/tagged-referrers.ts';
import type { MeteredEvents } from '../../telemetry/metrics.ts';
import { registryUpstream } from '../../upstream/client/client.ts';
import type { UpstreamOptions } from '../../upstream/http/options.ts';
import { registryWriter } from '../../upstream/push/writer.ts';
import { type AdaptiveLimit, adaptiveLimit } from '../../upstream/resilience/adaptive.ts';

/** The registries that are copied from and to, each made when it is first named. */
export interface RegistryEnds {
  source(registry: string): ImageSource;
  /** The registry through its cache, so that what somebody pulls meanwhile is read once for both; without a cache as `source`. */
  pulledSource(registry: string): ImageSource;
  destination(registry: string): ImageDestination;
  close(): Promise<void>;
}

export interface RegistryEndsOptions {
  readonly config: Config;
  readonly settings: MirrorSettings;
  readonly env: Environment;
  readonly events: MeteredEvents;
  readonly cache: Pick<CacheParts, 'store'> & { readonly fills: Pick<CacheParts['fills'], 'find'> };
  /** What clients pull through. */
  readonly registry: (name: string) => CachedRegistry | undefined;
  /** From 0 to 1, for jitter. Default `Math.random`. */
  readonly random?: () => number;
}

/** As patient as a job without anybody waiting for it: such a pause is waited for, longer ones go back to the queue. */
const longestWaitSeconds = 60;

/** One image's tries are fewer, so that a write's failure says what is the matter, and not that we gave the registry up. */
const writerFailures = 30;

/** One end of a copy, as it is read, and as it is written. */
interface End {
  readonly source: ImageSource;
  readonly pulled: ImageSource;
  readonly destination: ImageDestination;
  close(): Promise<void>;
}

/** Registries as their upstream is configured, others at `https://` and their name. Nothing is asked before the first copy. */
export function registryEnds(options: RegistryEndsOptions): RegistryEnds {
  const ends = new Map<string, End>();

  function end(name: string): End {
    const made = ends.get(name) ?? madeEnd(name, options);
    ends.set(name, made);
    return made;
  }

  return {
    source: (registry) => end(registry).source,
    pulledSource: (registry) => end(registry).pulled,
    destination: (registry) => end(registry).destination,
    async close() {
      await Promise.all([...ends.values()].map((each) => each.close()));
    },
  };
}

function madeEnd(name: string, options: RegistryEndsOptions): End {
  const { maxPerRegistry } = options.settings;
  const limit = adaptiveLimit({ maxConcurrent: maxPerRegistry, longestWaitSeconds });
  const settings = registryOptions(name, options, limit);
  const upstream = registryUpstream(settings);
  // How patient an upstream is counts for reading: clients wait for that.
  const { retries: _whileClientsWait, ...unhurried } = settings;
  const writer = registryWriter({ ...unhurried, breaker: { ...settings.breaker, failures: writerFailures } });
  const plain = imageSource(upstream);
  const registry = options.registry(name);
  const { store, fills } = options.cache;
  const atHand = async (digest: Parameters<typeof store.stat>[0]): Promise<boolean> =>
    fills.find(name, digest) !== undefined || (await store.stat(digest).catch(() => undefined)) !== undefined;
  return {
    source: registry === undefined ? plain : cachedSource({ source: plain, registry, isCached: atHand }),
    pulled: registry === undefined ? plain : cachedSource({ source: plain, registry }),
    destination: { ...writer, taggedReferrers: taggedReferrers(upstream) },
    async close() {
      await Promise.all([upstream.close(), writer.close()]);
    },
  };
}

function registryOptions(
  name: string,
  { config, settings, env, events, random = Math.random }: RegistryEndsOptions,
  limit: AdaptiveLimit,
): UpstreamOptions {
  const { manifestTimeoutMs: _clients, questionTimeoutMs: _wait, ...known } = config.upstreams[name] ?? {};
  const own = settings.authFile === undefined ? {} : { credentials: { authFile: settings.authFile } };
  const url = `https://${name === 'docker.io' ? 'registry-1.docker.io' : name}`;
  return { url, ...known, ...own, name, env, events, limit, longestWaitSeconds, random };
}
