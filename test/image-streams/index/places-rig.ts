import { createPlaces } from '../../../src/image-streams/places.ts';
import type { PlaceOf } from '../../../src/image-streams/references.ts';
import { createRouter } from '../../../src/proxy/access/route.ts';

type Upstreams = Parameters<typeof createRouter>[0];

/** What pull specs mean for a service with these upstreams under these names. */
export function placesFor(
  upstreams: Upstreams,
  names: Readonly<Record<string, string | undefined>>,
  defaultUpstream?: string,
): PlaceOf {
  const router = createRouter(upstreams, defaultUpstream);
  return createPlaces({
    upstreams: new Set(upstreams.keys()),
    names: new Map(Object.entries(names)),
    route(repository, host) {
      const { upstream, request } = router({ request: { kind: 'tags', repository, query: '' } }, host);
      return { upstream, repository: request.repository };
    },
  });
}
