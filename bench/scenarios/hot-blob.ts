import type { Lab } from '../lab.ts';
import { type Measure, ratio, type Scenario, type Target } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
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
    const rates: Measure[] = [];
    const costs: Measure[] = [];
    await withServers(
      lab,
      ['quayside', 'docker-registry', 'nginx static'],
      async (servers) => {
        for (const server of servers) {
          lab.say(`filling ${server.name}`);
          await warmed(lab, server, path, digest);
        }
        for (const clients of [1, 4]) {
          const what = clients === 1 ? '1 client' : `${clients} clients`;
          lab.say(`${what}, ${servers.length} servers in turn, ${rounds} ×`);
          const contenders = servers.map((server) => ({
            name: server.name,
            measure: () => sampleOf(lab, server, clients),
          }));
          const samples = await inTurn(rounds, contenders);
          const cost = medians(samples, ({ secondsPerGibibyte }) => secondsPerGibibyte);
          rates.push({ what, unit: 'MB/s', values: medians(samples, ({ megabytes }) => megabytes) });
          costs.push({ what: `${what}: processor time for 1 GiB`, unit: 's', values: cost });
        }
      },
      { upstream: 'loopback' },
    );
    return {
      measures: [...rates, ...costs],
      targets: rates.flatMap(targetsOf),
      notes: [
        'From the page cache; the clients read into one reused buffer and check nothing but the length.',
        'Processor time is the server’s alone. On two cores that the clients share, four of them keep both busy: what a server then delivers is bounded by that figure and what the clients spend.',
      ],
    };
  },
};

interface Sample {
  /** A second, all clients together. */
  readonly megabytes: number;
  /** Processor time of the server. */
  readonly secondsPerGibibyte: number;
}

async function sampleOf(lab: Lab, server: Server, clients: number): Promise<Sample> {
  const before = (await processorSeconds(server.pid)) ?? Number.NaN;
  const pulled = await lab.pull({ origin: server.origin, path: lab.offer.big.path, clients });
  if (pulled.some(({ isWhole, status }) => !isWhole || status !== 200))
    throw new Error(`${server.name}: a body was cut`);
  const slowestMs = Math.max(...pulled.map(({ totalMs }) => totalMs));
  const used = ((await processorSeconds(server.pid)) ?? Number.NaN) - before;
  const bytes = clients * lab.offer.big.size;
  return { megabytes: bytes / 1000 / slowestMs, secondsPerGibibyte: (used * 1024 ** 3) / bytes };
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
