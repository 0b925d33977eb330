import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { findProgram, type ProgramCall, runProgram } from '../../../src/upstream/helpers/program.ts';
import { until } from '../../support/bodies.ts';
import { standStill } from '../../support/stand-still.ts';

async function script(folder: string, text: string): Promise<string> {
  const path = join(folder, 'program');
  await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

const calm = {
  args: [],
  input: '',
  env: { PATH: '/usr/bin:/bin' },
  timeoutMs: 20_000,
  signal: new AbortController().signal,
} satisfies Omit<ProgramCall, 'path'>;

/** Whether a process with the number in that file is there. */
async function isAlive(file: string): Promise<boolean> {
  try {
    process.kill(Number(await readFile(file, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

test('a program gets its input, its arguments as they are, and no other variable', async (t) => {
  const path = await script(t.testdir(), 'read -r line; echo "$line|$1"; env');
  const { stdout, code } = await runProgram({ ...calm, path, args: ['$(id) *'], input: 'quay.io\n' });
  const [first, ...env] = Buffer.from(stdout).toString().trim().split('\n');
  t.equal(first, 'quay.io|$(id) *');
  t.same(
    env.filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line)),
    ['PATH=/usr/bin:/bin'],
  );
  t.equal(code, 0);
});

test('a program that reads nothing is not failed by its input', async (t) => {
  const path = await script(t.testdir(), 'echo done');
  const { stdout } = await runProgram({ ...calm, path, input: 'x'.repeat(1_000_000) });
  t.equal(Buffer.from(stdout).toString(), 'done\n');
});

test('a program that takes too long is killed with its children', async (t) => {
  const folder = t.testdir();
  const [child, own] = [join(folder, 'child'), join(folder, 'own')];
  const path = await script(folder, `sleep 60 & echo $! > ${child}; echo $$ > ${own}; wait`);
  const ended = runProgram({ ...calm, path, timeoutMs: 300 });
  await t.rejects(ended, { message: 'did not end within 0.3 s' });
  await until(async () => !(await isAlive(child)) && !(await isAlive(own)));
});

test('what a program leaves running is killed at its end, and not waited for', async (t) => {
  const folder = t.testdir();
  const child = join(folder, 'child');
  const path = await script(folder, `sleep 60 & echo $! > ${child}; echo answer`);
  const { stdout } = await runProgram({ ...calm, path });
  t.equal(Buffer.from(stdout).toString(), 'answer\n');
  await until(async () => !(await isAlive(child)));
});

test('a program that writes without end is killed', async (t) => {
  const path = await script(t.testdir(), 'exec cat /dev/zero');
  await t.rejects(runProgram({ ...calm, path }), { message: 'answered more than 64 KiB' });
});

test('a shutdown ends a program under way', async (t) => {
  const folder = t.testdir();
  const own = join(folder, 'own');
  const path = await script(folder, `echo $$ > ${own}; sleep 60`);
  const closing = new AbortController();
  const ended = runProgram({ ...calm, path, signal: closing.signal });
  await until(() => existsSync(own));
  closing.abort(new Error('shutting down'));
  await t.rejects(ended, { message: 'shutting down' });
  await until(async () => !(await isAlive(own)));
});

test('a complaint is one line of bounded length, without what looks like a credential', async (t) => {
  const path = await script(
    t.testdir(),
    'echo "login failed: Bearer abcdef012345" >&2; head -c 100000 /dev/zero | tr "\\0" x >&2; exit 3',
  );
  const { code, stderr } = await runProgram({ ...calm, path });
  t.equal(code, 3);
  t.match(stderr, 'login failed: Bearer [redacted]');
  t.ok(stderr.length <= 300);
});

test('a program that cannot be started says why', async (t) => {
  const path = join(t.testdir({ program: '#!/nowhere/at/all\n' }), 'program');
  await chmod(path, 0o755);
  await t.rejects(runProgram({ ...calm, path }), { message: 'cannot be started (ENOENT)' });
});

test('only an executable file is a program', async (t) => {
  const folder = t.testdir({ a: { tool: 'text' }, b: { tool: {} }, c: { tool: 'text' } });
  await chmod(join(folder, 'a/tool'), 0o644);
  await chmod(join(folder, 'c/tool'), 0o755);
  const directories = ['a', 'b', 'c', 'd'].map((name) => join(folder, name));
  // Root may read a directory as a program, and needs the bit of a file as others do.
  t.equal(await findProgram('tool', directories), join(folder, 'c/tool'));
  t.equal(await findProgram('tool', directories.slice(0, 2)), undefined);
});

test('a program that ended while this process stood still ended in time', async (t) => {
  const path = await script(t.testdir(), 'echo hello');
  const run = runProgram({ ...calm, path, timeoutMs: 500 });
  setImmediate(standStill, 1_000);
  t.equal(Buffer.from((await run).stdout).toString(), 'hello\n');
});
