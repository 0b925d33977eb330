import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { freePort, stage, until } from './program.ts';

const node = process.execPath;
const listening = (port: number) => `require('net').createServer().listen(${port}, '127.0.0.1')`;
const stubborn = `process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1000); console.log('up')`;

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('a program listens, and ends with its stage', async (t) => {
  const own = await stage('test');
  const port = await freePort();
  const program = await own.start(node, ['-e', listening(port)]);
  await program.listens(port);
  t.ok(isAlive(program.pid));
  await own.close();
  t.notOk(isAlive(program.pid));
  await t.rejects(access(own.directory), { code: 'ENOENT' });
});

test('a program that ends before it listens says its last words', async (t) => {
  const own = await stage('test');
  t.teardown(() => own.close());
  const program = await own.start(node, ['-e', 'console.error("no such luck"); process.exit(3)']);
  await t.rejects(program.listens(await freePort()), /no such luck/);
});

test('what a program started ends with it', async (t) => {
  const own = await stage('test');
  t.teardown(() => own.close());
  const child = `const { spawn } = require('child_process');
    console.log(spawn(process.execPath, ['-e', ${JSON.stringify(stubborn)}]).pid); setInterval(() => undefined, 1000)`;
  const program = await own.start(node, ['-e', child], { name: 'parent' });
  await until('the child', async () => /\d+\n/.test(await program.output()));
  const pid = Number.parseInt(await program.output(), 10);
  t.ok(isAlive(pid));
  await program.stop();
  await until('the child is gone', () => !isAlive(pid));
});

test('a command that fails throws with its last words, unless it may', async (t) => {
  const own = await stage('test');
  t.teardown(() => own.close());
  const args = ['-e', 'console.error("broken"); process.exit(4)'];
  await t.rejects(own.run(node, args), /exit 4\nbroken/);
  t.match(await own.run(node, args, { mayFail: true }), { code: 4, stderr: 'broken\n' });
});

test('a command is given its input, and its time', async (t) => {
  const own = await stage('test');
  t.teardown(() => own.close());
  const echo = await own.run(node, ['-e', 'process.stdin.pipe(process.stdout)'], { input: 'hello' });
  t.equal(echo.stdout, 'hello');
  await t.rejects(own.run(node, ['-e', stubborn], { timeoutMs: 300 }), /stopped/);
});

test('closing the stage ends a command under way, and refuses the next', async (t) => {
  const own = await stage('test');
  const running = own.run(node, ['-e', stubborn]);
  running.catch(() => undefined);
  await own.close();
  await t.rejects(running, /the stage is closed/);
  await t.rejects(own.start(node, ['-e', '0']), /the stage is closed/);
});

test('what was deferred ends last in, first out, and the directory after it', async (t) => {
  const own = await stage('test');
  const order: string[] = [];
  own.defer(async () => order.push('first'));
  own.defer(async () => {
    await access(join(own.directory));
    order.push('second');
  });
  await own.close();
  t.same(order, ['second', 'first']);
});
