import { type CachedReaderOptions, cachedReader } from '../../cache/registry/cached-reader.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { MirrorSettings } from '../../config/config.ts';
import type { Config, Environment } from '../../config/load.ts';
import type { ImageDestination } from '../../mirror/endpoints/endpoints.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import type { CredentialHelpers } from '../../upstream/helpers/helpers.ts';
import type { UpstreamEvents } from '../../upstream/upstream.ts';
import { type CopyEndpoint, createCopyEndpoint } from './copy-endpoint.ts';

/** The registries that are copied from and to, each made when it is first named. */
export interface RegistryEndpoints {
  source(registry: string): RegistryReader;
  /** The registry through its cache, so that a concurrent pull shares the reads; else `source`. */
  pulledSource(registry: string): RegistryReader;
  destination(registry: string): ImageDestination;
  close(): Promise<void>;
}

interface RegistryEndpointsOptions {
  readonly config: Config;
  readonly settings: MirrorSettings;
  readonly env: Environment;
  readonly events: UpstreamEvents;
  readonly helpers?: CredentialHelpers;
  readonly cache: Pick<CacheContext, 'store'> & { readonly fills: Pick<CacheContext['fills'], 'find'> };
  readonly registry: (name: string) => CachedRegistry | undefined;
  /** From 0 to 1, for jitter. Default `Math.random`. */
  readonly random?: () => number;
}

interface End {
  readonly source: RegistryReader;
  readonly pulled: RegistryReader;
  readonly destination: ImageDestination;
  close(): Promise<void>;
}

/** Registries by their upstream's settings, others at `https://` and their name. Lazy. */
export function createRegistryEndpoints(options: RegistryEndpointsOptions): RegistryEndpoints {
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

function madeEnd(name: string, options: RegistryEndpointsOptions): End {
  const { source, destination, close } = endpointOf(name, options);
  const registry = options.registry(name);
  const { store, fills } = options.cache;
  const atHand = async (digest: Parameters<typeof store.stat>[0]): Promise<boolean> =>
    fills.find(name, digest) !== undefined || (await store.stat(digest).catch(() => undefined)) !== undefined;
  // A copy has time: it waits for a running download, wherever its upload is resumed.
  const cached = (options: CachedReaderOptions): RegistryReader =>
    registry === undefined ? source : cachedReader(source, registry, { ...options, follows: true });
  return {
    source: cached({ isCached: atHand }),
    pulled: cached({}),
    destination,
    close,
  };
}

function endpointOf(
  name: string,
  { config, settings, env, events, helpers, random = Math.random }: RegistryEndpointsOptions,
): CopyEndpoint {
  const { manifestTimeoutMs: _clients, questionTimeoutMs: _wait, ...known } = config.upstreams[name] ?? {};
  const { authFile, maxPerRegistry } = settings;
  const atMost = { maxConcurrent: maxPerRegistry };
  return createCopyEndpoint({
    ...known,
    ...(helpers && { helpers }),
    name,
    env,
    events,
    random,
    authFile,
    atMost,
  });
}
