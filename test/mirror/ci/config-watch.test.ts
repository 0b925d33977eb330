import { test } from 'tap';
import { watchConfig } from '../../../src/mirror/ci/config-watch.ts';
import { type MirrorLine, mirrorLog } from '../../../src/predecessors/outputs/mirror-log.ts';

const one = 'supplementalCIImages: {"ci/a:b": {image: "quay.io/x/y:z"}}';

function rig() {
  const lines: MirrorLine[] = [];
  const state = { text: one, now: 0, changes: 0, reads: 0 };
  const config = watchConfig({
    file: '_config.yaml',
    read: async () => {
      state.reads += 1;
      if (state.text === 'absent') throw new Error('ENOENT');
      return Buffer.from(state.text);
    },
    tell: mirrorLog((line) => lines.push(line)),
    changed: () => {
      state.changes += 1;
    },
    now: () => state.now,
  });
  return { config, state, lines, told: () => lines.splice(0).map(({ message }) => message) };
}

test('a tick reads the file again, unless it was read less than half an hour ago', async (t) => {
  const { config, state, told } = rig();
  t.equal((await config.atTick())?.supplemental.length, 1);
  state.now += 30 * 60_000 - 1;
  await config.atTick();
  t.same(told(), ['Loading config ...', 'Skip loading config as it was loaded recently']);
  t.equal(state.reads, 1);
  state.now += 1;
  await config.atTick();
  t.same(told(), ['Loading config ...']);
  t.equal(state.changes, 1, 'the content was the same');
});

test('a file that has changed is read at once', async (t) => {
  const { config, state } = rig();
  await config.atTick();
  state.text = '';
  await config.reread();
  t.same(config.current()?.supplemental, []);
  t.equal(state.changes, 2);
});

test('a faulty or absent file is told of, skips a tick, and changes nothing', async (t) => {
  const { config, state, told } = rig();
  await config.atTick();
  for (const wrong of ['unknown: 1', 'absent']) {
    state.text = wrong;
    state.now += 3_600_000;
    told();
    t.equal(await config.atTick(), undefined);
    t.same(told(), ['Loading config ...', 'Failed to reload config']);
    t.equal(config.current()?.supplemental.length, 1);
  }
});

test('a faulty file is told of with every line that is wrong', async (t) => {
  const { config, state, lines } = rig();
  await config.atTick();
  state.text = 'supplementalCIImages:\n  ci/a: {image: "q.io/x:y"}\n  ci/b:c: {as: d, image: "q.io/x:y"}';
  await config.reread();
  t.match(lines.at(-1), {
    level: 'error',
    message: 'Failed to reload config',
    fields: {
      error: /^line 2: invalid target: ci\/a.*\nline 3: supplementalCIImages\[ci\/b:c\]: as cannot be set$/,
    },
  });
  t.equal(config.current()?.supplemental[0]?.target.name, 'a');
});
