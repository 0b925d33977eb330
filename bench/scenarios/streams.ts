import type { OwnScenario } from '../scenario.ts';
import { programs } from '../servers/programs.ts';
import { indexCost } from '../streams/index.ts';

/** As many as app.ci has: 13,000 tags that have stood for 25 images each. */
const sizes = {
  full: { streams: 130, tags: 100, items: 25 },
  short: { streams: 130, tags: 100, items: 5 },
} as const;

/** What it costs to know which image streams name a digest. */
export const streams: OwnScenario = {
  name: 'streams',
  title: 'The index of image streams',
  async runAlone({ form, directory, say }) {
    const size = sizes[form.isSmall ? 'short' : 'full'];
    const running = programs(directory);
    say(`the service follows ${size.streams * size.tags} tags with ${size.items} images each`);
    try {
      const cost = await indexCost({ programs: running, directory, size });
      const of = `${cost.digests} digests`;
      return {
        measures: [
          { what: `${of}: ready, nothing kept`, unit: 's', values: { quayside: cost.coldSeconds } },
          { what: `${of}: memory, nothing kept`, unit: 'MB', values: { quayside: cost.coldMegabytes } },
          { what: `${of}: known from the store`, unit: 's', values: { quayside: cost.keptSeconds } },
          { what: `${of}: memory, from the store`, unit: 'MB', values: { quayside: cost.keptMegabytes } },
          { what: `${of}: ready, with records`, unit: 's', values: { quayside: cost.warmSeconds } },
          {
            what: 'requests while nothing changes',
            unit: 'requests',
            values: { quayside: cost.quietRequests },
          },
          {
            what: 'requests for a changed stream',
            unit: 'requests',
            values: { quayside: cost.changeRequests },
          },
        ],
        targets: [
          target('memory of the index', Math.max(cost.coldMegabytes, cost.keptMegabytes), 250, 'MB'),
          target('ready after a cold start', cost.coldSeconds, 60, 's'),
          target('known from the store', cost.keptSeconds, 60, 's'),
          target('requests beside the watch while nothing changes', cost.quietRequests, 0, 'requests'),
          target('requests beside the watch for a changed stream', cost.changeRequests, 1, 'requests'),
        ],
        notes: [
          'Memory is the most that the process had (VmHWM), less that of one before an empty cluster.',
          'From the store: the cluster refuses every request. Seconds are from the start of the process on.',
          'The cluster is a double in a process of its own on the same cores.',
        ],
      };
    } finally {
      await running.stopAll();
    }
  },
};

function target(what: string, value: number, bound: number, unit: 'MB' | 's' | 'requests') {
  return { what, value, sense: 'at most', bound, unit } as const;
}
