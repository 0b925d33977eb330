import { acceptManifests } from '../../src/oci/manifest.ts';
import { type Measure, ratio, type Scenario, type Target } from '../scenario.ts';
import type { Server } from '../servers/server.ts';
import { inTurn } from '../statistics.ts';
import { warmed, withServers } from './started.ts';

const connections = 16;

/** Requests a second for one manifest that is cached, on one process of each server. */
export const hotManifest: Scenario = {
  name: 'hot-manifest',
  title: 'Hot manifest',
  async run(lab) {
    const rounds = lab.isShort ? 1 : 3;
    const durationMs = lab.isShort ? 2_000 : 3_000;
    const { byTag, byDigest } = lab.offer.manifest;
    const measured = (path: string, method: 'GET' | 'HEAD') => (server: Server) =>
      lab.requests.perSecond({
        origin: server.origin,
        path,
        method,
        headers: { accept: acceptManifests },
        connections,
        durationMs,
      });
    const lines = [
      { what: 'GET by tag', measure: measured(byTag, 'GET') },
      { what: 'HEAD by tag', measure: measured(byTag, 'HEAD') },
      { what: 'GET by digest', measure: measured(byDigest, 'GET') },
      { what: 'HEAD by digest', measure: measured(byDigest, 'HEAD') },
    ];
    const measures = await withServers(
      lab,
      ['quayside', 'docker-registry', 'nginx static'],
      async (servers) => {
        for (const server of servers)
          await warmed(lab, server, byDigest, lab.offer.image.root.descriptor.digest);
        for (const server of servers)
          await warmed(lab, server, byTag, lab.offer.image.root.descriptor.digest);
        const table: Measure[] = [];
        for (const { what, measure } of lines) {
          lab.say(`${what}, ${servers.length} servers in turn, ${rounds} × ${durationMs / 1000} s each`);
          const contenders = servers.map((server) => ({ name: server.name, measure: () => measure(server) }));
          table.push({ what, unit: 'requests/s', values: await inTurn(rounds, contenders) });
        }
        return table;
      },
    );
    return {
      measures,
      targets: measures.flatMap(targetsOf),
      notes: [
        `${connections} connections, keep-alive, a manifest of ${lab.offer.image.root.descriptor.size} bytes.`,
        'docker-registry asks its upstream on each request by tag; Quayside asks at most once in 30 s; nginx static never.',
      ],
    };
  },
};

function targetsOf({ what, values }: Measure): readonly Target[] {
  const byNginx: Target = {
    what: `${what}: × nginx static`,
    value: ratio(values, 'quayside', 'nginx static'),
    sense: 'at least',
    bound: 0.5,
    unit: '×',
  };
  if (!what.endsWith('tag')) return [byNginx];
  const value = ratio(values, 'quayside', 'docker-registry');
  return [{ what: `${what}: × docker-registry`, value, sense: 'at least', bound: 20, unit: '×' }, byNginx];
}
