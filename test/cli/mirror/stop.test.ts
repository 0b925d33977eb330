import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { stage, until } from '../../support/program.ts';
import { recordedIo } from '../io.ts';
import { mirrorRig } from './mirror-rig.ts';

const script = join(import.meta.dirname, '../../../bin/quayside.js');

/** The command in a process of its own, in the middle of an upload that does not end. */
async function stuck(t: Test) {
  const { from, to, dir } = await mirrorRig(t);
  from.addImage('team/app', 'v1', { layers: [70_000] });
  from.switches.stallsAfter = { bytes: 10, times: Number.POSITIVE_INFINITY };
  const { start, close } = await stage('mirror-stop');
  t.teardown(close);
  const pair = [`${from.host}/team/app:v1`, `${to.host}/a:1`];
  const failedFile = join(dir, 'failed.txt');
  const args = [script, 'mirror', '--insecure', '--failed-file', failedFile, ...pair];
  const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
  const program = await start(process.execPath, args, { name: 'quayside', env });
  await program.said('uploading');
  return { program, left: `${pair.join(' ')}\n`, failedFile, to };
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends a run with ${code}, and what is left is in the file for it`, async (t) => {
    const { program, left, failedFile, to } = await stuck(t);
    t.same(await program.stop(signal), { code, signal: null });
    t.match(await program.output(), /\nerror: stopped before everything was copied\n$/);
    t.match(await readFile(failedFile, 'utf8'), left);
    t.equal(to.openUploads(), 0);
  });
}

test('a run that is stopped while it asks for tags leaves what it was given', async (t) => {
  const { from, to, runIn, dir } = await mirrorRig(t);
  from.switches.delayMs = 60_000;
  const failedFile = join(dir, 'failed.txt');
  const stopping = new AbortController();
  const args = ['--failed-file', failedFile, `${from.host}/team/app:v*`, `${to.host}/a`];
  const running = runIn(recordedIo(stopping.signal), ...args);
  await until('the question', () => from.seen('/tags/list').length > 0);
  stopping.abort(new Error('SIGTERM'));
  t.match(await running, { code: 143, err: /\nerror: stopped before anything was copied\n$/ });
  t.match(await readFile(failedFile, 'utf8'), `\n${from.host}/team/app:v* ${to.host}/a\n`);
});

test('a run that is told to stop when all is copied has done what it should', async (t) => {
  const { from, to, runIn } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const stopping = new AbortController();
  const io = recordedIo(stopping.signal);
  const stdout = { write: () => stopping.abort(new Error('SIGINT')) };
  t.equal((await runIn({ ...io, stdout }, `${from.host}/team/app:v1`, `${to.host}/a:1`)).code, 0);
});
