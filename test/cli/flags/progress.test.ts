import { stripVTControlCharacters } from 'node:util';
import { test } from 'tap';
import { besideProgress } from '../../../src/cli/flags/progress.ts';
import { progressLine } from '../../../src/cli/flags/progress-line.ts';
import { until } from '../../support/bodies.ts';
import { recordedIo } from '../io.ts';

test('it says share, bytes, rate, time left and names', (t) => {
  const state = {
    unit: 'images',
    done: 3,
    total: 12,
    bytes: 1.2e9,
    totalBytes: 4.8e9,
    names: ['q.io/a:1', 'b'],
  };
  t.equal(
    progressLine(state, 60_000),
    '3/12 images  25 %  1.2 GB of 4.8 GB  20.0 MB/s  ETA 3m00s  q.io/a:1 and 1 more',
  );
  t.equal(progressLine({ unit: 'objects', done: 7, more: '2 failed' }, 1_000), '7 objects  2 failed');
  t.equal(progressLine({ unit: 'images', done: 0, total: 0 }, 0), '0/0 images');
  t.match(progressLine({ ...state, share: 0.5 }, 20_000_000), '50 %  1.2 GB of 4.8 GB  60.0 kB/s  ETA 5h33m');
  t.end();
});

test('every line that is written takes it away first, on either output', async (t) => {
  const steps: string[] = [];
  const drawing = { draw: (line: string) => steps.push(`draw ${line}`), clear: () => steps.push('clear') };
  const on = (name: string) => ({
    isTTY: true,
    fd: 1,
    write: (text: string) => steps.push(`${name} ${text}`),
  });
  const io = besideProgress({ ...recordedIo(), stdout: on('out'), stderr: on('err') }, async () => drawing);
  t.equal(io.stdout.fd, 1);
  const end = io.progress?.(() => ({ unit: 'images', done: 1 }));
  await until(() => steps.length > 0);
  io.stdout.write('a result\n');
  io.stderr.write('info: more\n');
  end?.();
  io.stdout.write('the end\n');
  t.same(steps, [
    'draw 1 images',
    'clear',
    'out a result\n',
    'clear',
    'err info: more\n',
    'clear',
    'out the end\n',
  ]);
});

test('the library draws on a terminal, and cuts a line at its width', async (t) => {
  const io = recordedIo();
  const stderr = { write: io.stderr.write, isTTY: true, columns: 21 };
  const { progress } = besideProgress({ ...io, stderr });
  const end = progress?.(() => ({ unit: 'images', done: 1, names: ['quay.io/team/app:v1'] }));
  await until(() => io.err() !== '');
  end?.();
  t.equal(stripVTControlCharacters(io.err()), '1 images  quay.io/te\n');
});

test('away from a terminal nothing is drawn', (t) => {
  const io = recordedIo();
  t.equal(besideProgress(io), io);
  t.equal(besideProgress({ ...io, stdout: { ...io.stdout, isTTY: true } }).progress, undefined);
  t.end();
});
