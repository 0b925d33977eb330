import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { isStopped, limited, openFilesOf } from '../../src/drill/stand/process.ts';

const softLimit = async () =>
  /^Max open files +(\d+)/m.exec(await readFile(`/proc/${process.pid}/limits`, 'utf8'))?.[1];

test('a limit is there as long as it is to be', { skip: process.platform !== 'linux' }, async (t) => {
  const before = await softLimit();
  const limit = await limited(process.pid, 'nofile', (await openFilesOf(process.pid)) + 200);
  t.not(await softLimit(), before);
  t.equal(await limit.met(), 1);
  await limit.end();
  t.equal(await softLimit(), before);
  t.equal(await limit.met(), 0);
});

test('a process that stands still is known', { skip: process.platform !== 'linux' }, async (t) => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  t.notOk(await isStopped(child.pid));
  const limit = await limited(child.pid ?? 0, 'nofile', 100);
  child.kill('SIGSTOP');
  while (!(await isStopped(child.pid))) await new Promise((done) => setImmediate(done));
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.notOk(await isStopped(child.pid));
  t.equal(await limit.met(), 1, 'it ended under its limit');
  await limit.end();
});
