import { lookUp } from '../load/look-up.ts';
import { peerNames } from '../peers/peers.ts';
import type { Measure, Scenario } from '../scenario.ts';
import { peakOfAll, processorSeconds, resetPeak } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import type { TagsAnswer, TagsQuestion } from '../servers/tags-process.ts';
import { worker } from '../servers/worker.ts';
import { inTurn, measured, type Samples } from '../statistics.ts';
import { withServers } from './started.ts';

const tags = 100_000;
const pageSize = 1000;
const times = 10;

/** Lists of the tags of a repository that has very many. */
export const longTags: Scenario = {
  name: 'long-tags',
  title: `Lists of ${tags.toLocaleString('en-US')} tags`,
  async run(lab) {
    const rounds = lab.form.rounds(2, 5);
    const upstream = worker<TagsQuestion, TagsAnswer>(new URL('../servers/tags-process.ts', import.meta.url));
    try {
      const { origin } = await upstream.ask({ tags });
      const names = peerNames.filter((name) => name !== 'zot');
      const measures = await withServers(
        lab,
        names,
        async (servers) => {
          const found: Measure[] = [];
          for (const [what, query] of [
            ['whole', ''],
            [`pages of ${pageSize}`, `?n=${pageSize}`],
          ] as const) {
            lab.say(`tags, ${what}, ${servers.length} servers in turn, ${rounds} ×`);
            for (const server of servers) await sampleOf(server, query, 1);
            const contenders = servers.map((server) => ({
              name: server.name,
              measure: () => sampleOf(server, query, times),
            }));
            found.push(...measuresOf(what, await inTurn(rounds, contenders)));
          }
          return found;
        },
        { registry: origin },
      );
      return {
        measures,
        targets: [],
        notes: [
          `One after the other, ${times} a round. distribution and docker-registry ask the upstream each time; a page is the first one. The upstream is a double on the same cores. zot copies no list of an image that it does not have.`,
        ],
      };
    } finally {
      upstream.close();
    }
  },
};

interface ListSample {
  readonly milliseconds: number;
  readonly processorMs: number;
  readonly megabytes: number;
}

function measuresOf(what: string, samples: Samples<ListSample>): readonly Measure[] {
  return [
    measured(what, 'ms', samples, ({ milliseconds }) => milliseconds),
    measured(`${what}: processor time`, 'ms', samples, ({ processorMs }) => processorMs),
    measured(`${what}: most memory`, 'MB', samples, ({ megabytes }) => megabytes),
  ];
}

async function sampleOf({ origin, pid }: Server, query: string, count: number): Promise<ListSample> {
  await resetPeak(pid);
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const started = performance.now();
  for (let index = 0; index < count; index += 1) {
    const text = await lookUp(`${origin}/v2/bench/many/tags/list${query}`, { connection: 'close' });
    if (!text.includes('tag-0000000')) throw new Error(`${origin} sent another list: ${text.slice(0, 80)}`);
  }
  return {
    milliseconds: (performance.now() - started) / count,
    processorMs: ((((await processorSeconds(pid)) ?? Number.NaN) - before) * 1000) / count,
    megabytes: await peakOfAll(pid),
  };
}
