import type { Lab } from '../lab.ts';
import type { Measure, Scenario } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { against, inTurn, measured } from '../statistics.ts';
import { warmed, withServers } from './started.ts';

/** Bytes of all pulls of one sample: processor time is counted in hundredths of a second. */
const sampleBytes = { short: 300e6, full: 1e9 } as const;
const mostClients = 4;

/** What one stored blob costs, beside a bare loop in the same language and beside nginx. */
export const blobSizes: Scenario = {
  name: 'blob-sizes',
  title: 'Stored blob of 100 kB to 30 MiB',
  async run(lab) {
    const rounds = lab.form.rounds(3, 7);
    const measures = await withServers(
      lab,
      ['quayside', 'distribution', 'nginx static', 'node:http'],
      async (servers) => {
        const found: Measure[] = [];
        for (const [size, { path, digest, size: bytes }] of Object.entries(lab.offer.sizes)) {
          for (const server of servers) await warmed(lab, server, path, digest);
          const total = lab.form.isSmall ? sampleBytes.short : sampleBytes.full;
          const times = Math.max(mostClients, Math.min(2000, Math.round(total / bytes)));
          lab.say(`${size}, ${times} pulls, ${servers.length} servers in turn, ${rounds} ×`);
          const contenders = servers.map((server) => ({
            name: server.name,
            measure: () => sampleOf(lab, server, path, times),
          }));
          const samples = await inTurn(rounds, contenders);
          found.push(
            measured(`${size}: processor time`, 'µs', samples, ({ microseconds }) => microseconds),
            measured(`${size}: time`, 'ms', samples, ({ milliseconds }) => milliseconds),
          );
        }
        return found;
      },
      { upstream: 'loopback' },
    );
    const costs = measures.filter(({ unit }) => unit === 'µs');
    return {
      measures,
      targets: costs.map((cost) => against(cost, 'node:http', { sense: 'at most', bound: 1.15 })),
      notes: [
        `For one pull, each over a connection of its own, ${mostClients} at a time. node:http is a loop of this bench that reads a file into pooled buffers of 256 KiB and knows nothing else.`,
      ],
    };
  },
};

interface BlobSample {
  readonly microseconds: number;
  readonly milliseconds: number;
}

async function sampleOf(
  lab: Lab,
  { name, origin, pid }: Server,
  path: string,
  times: number,
): Promise<BlobSample> {
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const { totalMs } = await lab.pullImages({
    origin,
    paths: Array.from({ length: Math.ceil(times / mostClients) }, () => path),
    clients: mostClients,
    isInTurn: true,
  });
  const processor = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  if (totalMs === 0) throw new Error(`${name} sent nothing`);
  return { microseconds: (processor * 1e6) / times, milliseconds: totalMs / times };
}
