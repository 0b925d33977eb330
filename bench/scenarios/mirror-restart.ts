import { restart } from '../mirror/restart.ts';
import type { Scenario } from '../scenario.ts';

/** As many as app.ci has. */
const tags = { full: 13_000, short: 3_000 } as const;
/** Tags whose image is another one in QCI. */
const changed = 13;

/** How long a mirror that knows nothing needs to know what is to be done. */
export const mirrorRestart: Scenario = {
  name: 'mirror-restart',
  title: 'The mirror after a restart',
  async run(lab) {
    const count = tags[lab.form.isSmall ? 'short' : 'full'];
    lab.say(`the mirror looks at ${count} tags of image streams`);
    const { seconds, megabytes, requests, calls } = await restart(lab, { tags: count, changed });
    const of = `${count} tags`;
    return {
      measures: [
        { what: `${of}: all looked at`, unit: 's', values: { quayside: seconds } },
        { what: `${of}: memory, the most`, unit: 'MB', values: { quayside: megabytes } },
        {
          what: `${of}: requests per tag that did not change`,
          unit: 'requests',
          values: { quayside: requests },
        },
        { what: `${of}: calls of the cluster`, unit: 'calls', values: { quayside: calls } },
      ],
      targets: [
        {
          what: 'requests to QCI for a tag that did not change',
          value: requests,
          sense: 'at most',
          bound: 1,
          unit: 'requests',
        },
      ],
      notes: [
        `From the start of the process on; ${changed} of the tags have another image in QCI, and are found.`,
        'The cluster and the registry are doubles in a process of their own on the same cores, and answer at once.',
      ],
    };
  },
};
