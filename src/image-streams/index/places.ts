import { repositoryGlob } from '../../base/text/glob.ts';
import { isRegistryName, parseRepository, type Repository } from '../../oci/reference.ts';
import type { PlaceOf } from './references.ts';

interface PlacesOptions {
  readonly upstreams: ReadonlyMap<string, PlaceUpstream>;
  /** Names of this service, `host[:port]`, with the upstream that each stands for, if one. */
  readonly names: ReadonlyMap<string, string | undefined>;
  /** The upstream of a path whose first component names none. Default: such a path means none. */
  readonly defaultUpstream?: string | undefined;
}

interface PlaceUpstream {
  /** The only repositories: globs. Default: all. */
  readonly repositories?: readonly string[] | undefined;
  /** One-component names get `library/` before them. */
  readonly library?: boolean | undefined;
}

/**
 * Which repository of ours a pull spec of a stream means: one of an upstream under its own name, or
 * one under a name of this service, as a client that pulls it there would get it.
 */
export function createPlaces({ upstreams, names, defaultUpstream }: PlacesOptions): PlaceOf {
  const allowed = new Map(
    [...upstreams].map(([name, { repositories }]) => [name, repositories?.map(repositoryGlob)]),
  );

  function routed(registry: string, path: string): readonly [upstream: string, path: string] | undefined {
    if (!names.has(registry)) return upstreams.has(registry) ? [registry, path] : undefined;
    const fixed = names.get(registry);
    if (fixed !== undefined) return [fixed, path];
    const slash = path.indexOf('/');
    const first = path.slice(0, Math.max(0, slash));
    if (upstreams.has(first)) return [first, path.slice(slash + 1)];
    return defaultUpstream === undefined || isRegistryName(first) ? undefined : [defaultUpstream, path];
  }

  return (registry, path) => {
    const [upstream, chosen] = routed(registry, path) ?? [];
    if (upstream === undefined || chosen === undefined) return undefined;
    const isBare = upstreams.get(upstream)?.library === true && !chosen.includes('/');
    const repository = repositoryOf(isBare ? `library/${chosen}` : chosen);
    const shapes = allowed.get(upstream);
    const isServed = repository !== undefined && (shapes?.some((shape) => shape.test(repository)) ?? true);
    return isServed && upstreams.has(upstream) ? { upstream, repository } : undefined;
  };
}

function repositoryOf(path: string): Repository | undefined {
  try {
    return parseRepository(path);
  } catch {
    return undefined;
  }
}
