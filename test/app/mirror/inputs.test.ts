import { rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { followInputs } from '../../../src/app/mirror/inputs.ts';
import { type MirrorLine, mirrorLog } from '../../../src/predecessors/outputs/mirror-log.ts';
import { image, releaseFiles } from '../../mirror/test-inputs/release.ts';
import { until } from '../../support/bodies.ts';

const using = (key: string) => releaseFiles({ 'a.yaml': `base_images: {a: ${image(key)}}` });

/** Inputs of a link as git-sync keeps it, and a controller that runs until it is stopped. */
async function rig(t: Test) {
  const folder = t.testdir({ first: using('ci/a:a'), second: using('ci/a:b') });
  const link = join(folder, 'release');
  const lines: MirrorLine[] = [];
  const told: string[] = [];
  const runs: boolean[] = [];
  const stop = new AbortController();
  const followed = followInputs({
    folder: link,
    tell: mirrorLog((line) => lines.push(line)),
    lookEveryMs: 5,
  });
  const controller = {
    async run(signal: AbortSignal) {
      runs.push(followed.inputs.hasTag('ci/a:a'));
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    referenced: (key: string) => void told.push(key),
  };
  return {
    lines,
    told,
    runs,
    stop,
    inputs: followed.inputs,
    during: () => followed.during(controller, stop.signal),
    async moveTo(target: string) {
      await symlink(target, join(folder, 'next'));
      await rename(join(folder, 'next'), link);
    },
  };
}

test('the controller runs once the checkout is read, and is told what comes to be used', async (t) => {
  const { runs, told, stop, inputs, during, moveTo } = await rig(t);
  await moveTo('first');
  const running = during();
  await until(() => runs.length > 0);
  t.same(runs, [true]);
  await moveTo('second');
  await until(() => told.length > 0);
  t.same(told, ['ci/a:b']);
  t.notOk(inputs.hasTag('ci/a:a'));
  stop.abort();
  await running;
});

test('a checkout that comes late is read when it is there', async (t) => {
  const { runs, told, lines, stop, during, moveTo } = await rig(t);
  const running = during();
  await until(() => runs.length > 0);
  t.match(lines, [{ message: 'Failed to reload configs' }]);
  await moveTo('first');
  await until(() => told.length > 0);
  t.same(told, ['ci/a:a']);
  stop.abort();
  await running;
});

test('a stop while the checkout is read does not wait for it, and is no failure', async (t) => {
  const { lines, stop, during, moveTo } = await rig(t);
  await moveTo('first');
  const running = during();
  stop.abort();
  await running;
  t.same(lines, []);
});
