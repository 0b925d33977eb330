import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { disksIn, sweepDrillFolders } from '../../src/drill/stand/folder.ts';

test('the folder of a drill that was killed is removed, and no other', async (t) => {
  const parent = t.testdir();
  const namespace = /\d+/.exec(await readlink('/proc/self/ns/pid').catch(() => '0'))?.[0] ?? '0';
  const dead = `quayside-drill-${namespace}-99999999-abcdef`;
  const kept = [
    `quayside-drill-${namespace}-${process.pid}-abcdef`,
    `quayside-drill-7-99999999-abcdef`,
    'quayside-drill-abcdef',
  ];
  for (const name of [dead, ...kept]) await mkdir(join(parent, name, 'replica-1-disk'), { recursive: true });
  await writeFile(join(parent, dead, 'token'), 'a token');
  await sweepDrillFolders(parent);
  t.same(new Set(await readdir(parent)), new Set(kept));
});

test('only disks of a drill in its folder are unmounted', (t) => {
  const mounts = [
    'quayside-drill /dev/shm/quayside-drill-1-2-a/replica-1-disk tmpfs rw 0 0',
    'quayside-drill /dev/shm/quayside-drill-1-2-b/replica-1-disk tmpfs rw 0 0',
    '/dev/sda1 /dev/shm/quayside-drill-1-2-a/other ext4 rw 0 0',
  ].join('\n');
  t.same(disksIn('/dev/shm/quayside-drill-1-2-a', mounts), ['/dev/shm/quayside-drill-1-2-a/replica-1-disk']);
  t.end();
});

test('a program ends with a drill that is killed', { skip: process.platform !== 'linux' }, async (t) => {
  const source = new URL('../../src/drill/stand/beside-program.ts', import.meta.url).href;
  const options = JSON.stringify({ command: 'sleep', args: ['60'], log: join(t.testdir(), 'log') });
  const script = `import { BesideProgram } from '${source}';
    const program = new BesideProgram({ ...${options}, signal: new AbortController().signal });
    program.start();
    console.log(program.pid);`;
  const args = ['--input-type=module', '-e', script];
  const drill = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [pid] = await once(drill.stdout, 'data');
  const state = () => readFile(`/proc/${Number(String(pid))}/stat`, 'utf8').catch(() => '() Z');
  t.notMatch(await state(), /\) Z/);
  drill.kill('SIGKILL');
  await once(drill, 'exit');
  for (let looks = 0; looks < 100 && !/\) Z/.test(await state()); looks += 1) await sleep(20);
  t.match(await state(), /\) Z/);
});
