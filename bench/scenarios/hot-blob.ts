import type { Lab } from '../lab.ts';
import { type Measure, ratio, type Scenario, type Target } from '../scenario.ts';
import type { Server } from '../servers/server.ts';
import { inTurn, medians } from '../statistics.ts';
import { warmed, withServers } from './started.ts';

/** Bytes a second of a cached 1 GiB blob, for one client and for four at once. */
export const hotBlob: Scenario = {
  name: 'hot-blob',
  title: 'Hot blob of 1 GiB',
  async run(lab) {
    const rounds = lab.isShort ? 2 : 5;
    const { path, digest } = lab.offer.big;
    const measures = await withServers(
      lab,
      ['quayside', 'docker-registry', 'nginx static'],
      async (servers) => {
        for (const server of servers) {
          lab.say(`filling ${server.name}`);
          await warmed(lab, server, path, digest);
        }
        const table: Measure[] = [];
        for (const clients of [1, 4]) {
          const what = clients === 1 ? '1 client' : `${clients} clients`;
          lab.say(`${what}, ${servers.length} servers in turn, ${rounds} ×`);
          const contenders = servers.map((server) => ({
            name: server.name,
            measure: () => megabytesPerSecond(lab, server, clients),
          }));
          table.push({
            what,
            unit: 'MB/s',
            values: medians(await inTurn(rounds, contenders), (rate) => rate),
          });
        }
        return table;
      },
      { upstream: 'loopback' },
    );
    return {
      measures,
      targets: measures.flatMap(targetsOf),
      notes: [
        'From the page cache; the clients read into one reused buffer and check nothing but the length.',
      ],
    };
  },
};

async function megabytesPerSecond(lab: Lab, server: Server, clients: number): Promise<number> {
  const pulled = await lab.pull({ origin: server.origin, path: lab.offer.big.path, clients });
  if (pulled.some(({ isWhole, status }) => !isWhole || status !== 200))
    throw new Error(`${server.name}: a body was cut`);
  const slowestMs = Math.max(...pulled.map(({ totalMs }) => totalMs));
  return (clients * lab.offer.big.size) / 1000 / slowestMs;
}

function targetsOf({ what, values }: Measure): readonly Target[] {
  const of = (peer: 'docker-registry' | 'nginx static', bound: number): Target => ({
    what: `${what}: × ${peer === 'nginx static' ? 'nginx sendfile' : peer}`,
    value: ratio(values, 'quayside', peer),
    sense: 'at least',
    bound,
    unit: '×',
  });
  return [of('docker-registry', 1.5), of('nginx static', 1)];
}
