import type { Config } from '../../config/load.ts';
import { createAdmission } from '../../proxy/access/admission.ts';
import { createChallenger } from '../../proxy/access/challenge.ts';
import { createHosts, type Host } from '../../proxy/access/hosts.ts';
import { createRouter } from '../../proxy/access/route.ts';
import type { ProxyEvents } from '../../proxy/events.ts';
import type { Generation } from '../../proxy/pull/generation.ts';

interface RequestParts extends Pick<Generation, 'registries'> {
  readonly hosts: readonly Host[];
  readonly events?: Partial<ProxyEvents>;
}

/** What a configuration makes of requests. */
export function configuredRequests(config: Config, { hosts, registries, events }: RequestParts): Generation {
  const { upstreams, defaultUpstream, publicUrl, tls } = config;
  const entrance = {
    hosts: createHosts(hosts),
    route: createRouter(new Map(Object.entries(upstreams)), defaultUpstream),
  };
  const realm = {
    isTls: tls !== undefined,
    ...(publicUrl === undefined ? {} : { publicUrl: new URL(publicUrl) }),
  };
  return {
    ...entrance,
    challenge: createChallenger(realm),
    admission: createAdmission({ ...entrance, ...realm, ...(events && { events }) }),
    registries,
    blobModes: new Map(
      Object.entries(config.hosts).flatMap(([name, { blobs }]) =>
        blobs === undefined ? [] : [[name, blobs]],
      ),
    ),
  };
}
