import { test } from 'tap';
import type { CheckoutReading } from '../../../src/mirror/test-inputs/checkout.ts';
import { readInputs } from '../../../src/mirror/test-inputs/inputs.ts';
import { type MirrorLine, mirrorLog } from '../../../src/predecessors/outputs/mirror-log.ts';

const never = new AbortController().signal;

/** Inputs over a checkout that reads as it is told to: keys, or a failure. */
function rig(...readings: readonly (Partial<CheckoutReading> | Error)[]) {
  const lines: MirrorLine[] = [];
  const rest = readings.values();
  const inputs = readInputs({
    folder: '/release',
    checkout: {
      async read() {
        const { value } = rest.next();
        if (value === undefined || value instanceof Error) throw value;
        return { keys: new Set(), promoted: new Set(), files: 1, faults: [], unknown: [], ...value };
      },
    },
    tell: mirrorLog((line) => lines.push(line)),
  });
  return { inputs, lines };
}

test('a key is new once, and gone when nothing uses it any more', async (t) => {
  const { inputs, lines } = rig(
    { keys: new Set(['ci/a:a', 'imagestream_ocp/4.20']) },
    { keys: new Set(['ci/a:a', 'ci/b:b']) },
  );
  t.notOk(inputs.hasTag('ci/a:a'));
  t.same(await inputs.reread(never), ['ci/a:a', 'imagestream_ocp/4.20']);
  t.ok(inputs.hasTag('ci/a:a'));
  t.ok(inputs.hasStream('ocp/4.20'));
  t.same(await inputs.reread(never), ['ci/b:b']);
  t.notOk(inputs.hasStream('ocp/4.20'));
  t.match(lines.at(-1), {
    level: 'info',
    message: 'Configs reloaded',
    fields: { files: 1, keys: 2, added: 1 },
  });
});

test('a checkout that cannot be read changes nothing', async (t) => {
  const { inputs, lines } = rig({ keys: new Set(['ci/a:a']) }, new Error('ENOENT'));
  await inputs.reread(never);
  t.same(await inputs.reread(never), []);
  t.ok(inputs.hasTag('ci/a:a'));
  t.match(lines.at(-1), {
    level: 'error',
    message: 'Failed to reload configs',
    fields: { folder: '/release', error: 'ENOENT' },
  });
});

test('a faulty file and steps that there are not are one warning each', async (t) => {
  const { inputs, lines } = rig({
    faults: [{ file: 'a.yaml', error: 'bad' }],
    unknown: ['ref a', 'chain b'],
  });
  await inputs.reread(never);
  const warnings = lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields);
  t.same(warnings, [{ file: 'a.yaml', error: 'bad' }, { steps: ['ref a', 'chain b'] }]);
});

test('a reading that is given up is no failure', async (t) => {
  const { inputs, lines } = rig(new Error('given up'));
  t.same(await inputs.reread(AbortSignal.abort()), []);
  t.same(lines, []);
});
