import type { Lab } from '../lab.ts';
import { type Measure, ratio, type Scenario, type Target } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { inTurn, medians } from '../statistics.ts';
import { warmed, withServers } from './started.ts';

/** Many clients pull the same image of ordinary size, which is there. */
export const warmImage: Scenario = {
  name: 'warm-image',
  title: 'Warm image of 44 MB: manifest, config and 8 layers',
  async run(lab) {
    const rounds = lab.isShort ? 3 : 7;
    const walls: Measure[] = [];
    const costs: Measure[] = [];
    await withServers(
      lab,
      ['quayside', 'docker-registry', 'nginx static'],
      async (servers) => {
        for (const server of servers) await filled(lab, server);
        for (const clients of [10, 50]) {
          const what = `${clients} pulls at once`;
          lab.say(`${what}, ${servers.length} servers in turn, ${rounds} ×`);
          const contenders = servers.map((server) => ({
            name: server.name,
            measure: () => sampleOf(lab, server, clients),
          }));
          const samples = await inTurn(rounds, contenders);
          walls.push({ what, unit: 's', values: medians(samples, ({ seconds }) => seconds) });
          const cost = medians(samples, ({ processor }) => processor);
          costs.push({ what: `${what}: processor time`, unit: 's', values: cost });
        }
      },
      { upstream: 'loopback' },
    );
    return {
      measures: [...walls, ...costs],
      targets: walls.map(targetOf),
      notes: [
        'From the page cache. Each client takes the manifest, then six blobs at a time, each over a connection of its own.',
        'Processor time is the server’s alone, for all pulls together.',
      ],
    };
  },
};

async function filled(lab: Lab, server: Server): Promise<void> {
  lab.say(`filling ${server.name}`);
  for (const path of lab.offer.ordinary) await warmed(lab, server, path, path.split('/blobs/')[1]);
}

interface Sample {
  readonly seconds: number;
  /** Processor seconds of the server. */
  readonly processor: number;
}

async function sampleOf(lab: Lab, { origin, pid }: Server, clients: number): Promise<Sample> {
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const { totalMs } = await lab.pullImages({ origin, paths: lab.offer.ordinary, clients });
  const processor = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  return { seconds: totalMs / 1000, processor };
}

function targetOf({ what, values }: Measure): Target {
  return {
    what: `${what}: wall time × docker-registry`,
    value: ratio(values, 'quayside', 'docker-registry'),
    sense: 'at most',
    bound: 1,
    unit: '×',
  };
}
