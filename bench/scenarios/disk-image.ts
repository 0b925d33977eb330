import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { peerNames } from '../peers/peers.ts';
import type { Findings, Scenario } from '../scenario.ts';
import { against } from '../statistics.ts';
import { coldSamples } from './cold-image.ts';
import { coldMeasures } from './image-sample.ts';
import { wallTargets, warmPulls } from './warm-pulls.ts';

/** Warm images that no page cache has: each byte comes from the disk. */
export const droppedImage: Scenario = {
  name: 'dropped-image',
  title: 'Warm image of 44 MB on a disk, the page cache dropped before each round',
  isLong: true,
  async run(lab) {
    const refused = await dropped().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (refused !== undefined) return leftOut(`the page cache cannot be dropped here: ${refused}`);
    const options = { isOnDisk: true };
    const measures = await warmPulls(lab, { clients: [1, 10], options, before: dropped });
    return {
      measures,
      targets: wallTargets(measures),
      notes: [
        'Over plain HTTP, from a disk of this machine. What the host of a virtual machine keeps of its disk is not dropped.',
      ],
    };
  },
};

/** A first pull where each server waits for its disk as it thinks right. */
export const diskImage: Scenario = {
  name: 'disk-image',
  title: 'Cold image of 44 MB onto a disk, 1 pull, upstream 20 ms away',
  isLong: true,
  async run(lab) {
    const rounds = lab.form.rounds(2, 5);
    lab.say(`a cold image onto a disk, ${rounds} ×`);
    const asked = { upstream: '20 ms', clients: 1, rounds, isOnDisk: true } as const;
    const measures = coldMeasures('20 ms', await coldSamples(lab, peerNames, asked));
    const wall = measures.find(({ unit }) => unit === 's');
    return {
      measures,
      targets: wall === undefined ? [] : [against(wall, 'distribution', { sense: 'at most', bound: 1 })],
      notes: [
        'Quayside, distribution and docker-registry call fsync before a blob gets its name; nginx does not.',
      ],
    };
  },
};

function leftOut(reason: string): Findings {
  return { measures: [], targets: [], notes: [`Left out: ${reason}.`] };
}

const run = promisify(execFile);

/** Everything is on the disk, and nothing of it in memory any more; needs root on Linux. */
async function dropped(): Promise<void> {
  await run('sync');
  await writeFile('/proc/sys/vm/drop_caches', '1');
}
