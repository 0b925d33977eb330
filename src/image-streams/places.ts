import { parseRepository, type Repository } from '../oci/reference.ts';
import type { PlaceOf } from './references.ts';
import type { StreamPlace } from './stream-index.ts';

interface PlacesOptions {
  /** Names of upstreams. */
  readonly upstreams: ReadonlySet<string>;
  /** Names of this service, `host[:port]`, with the upstream that each stands for, if one. */
  readonly names: ReadonlyMap<string, string | undefined>;
  /**
   * What a client would get that asks for the repository at a host that stands for the upstream, if
   * for one. Throws where the service refuses it.
   */
  readonly route: (repository: Repository, upstream: string | undefined) => StreamPlace;
}

/** Most streams name images of few repositories, over and over. */
const mostRemembered = 1_000;

/**
 * Which repository of ours a pull spec of a stream means: one of an upstream under its own name, or
 * one under a name of this service, as a client that pulls it there would get it.
 */
export function createPlaces({ upstreams, names, route }: PlacesOptions): PlaceOf {
  const known = new Map<string, StreamPlace | undefined>();

  function placeOf(registry: string, path: string): StreamPlace | undefined {
    try {
      return route(parseRepository(path), names.has(registry) ? names.get(registry) : registry);
    } catch {
      return undefined;
    }
  }

  return (registry, path) => {
    if (!names.has(registry) && !upstreams.has(registry)) return undefined;
    const key = `${registry}/${path}`;
    if (!known.has(key)) {
      if (known.size >= mostRemembered) known.clear();
      known.set(key, placeOf(registry, path));
    }
    return known.get(key);
  };
}
