import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { longestTrace, queuedPrefix } from '../../../src/mirror/queue/task-record.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { until as seenTrue } from '../../support/bodies.ts';
import { listening } from '../../support/listening.ts';

const script = fileURLToPath(new URL('takeover-worker.ts', import.meta.url));
const images = 60;
const kills = 2;

/** Sees who works, by the connections that are open, what they copied, and what they found. */
async function witness(t: Test) {
  const working = new Set<Socket>();
  const holders: string[] = [];
  const copied: string[] = [];
  const found: string[] = [];
  let mostAtOnce = 0;
  let heard = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    working.add(socket);
    mostAtOnce = Math.max(mostAtOnce, working.size);
    socket.once('close', () => working.delete(socket));
    socket.on('error', () => {});
    createInterface(socket).on('line', (line) => {
      const [word, value = ''] = line.split(' ');
      if (word === 'holder') holders.push(value);
      else if (word === 'copied') copied.push(value);
      else if (word === 'found') found.push(value);
      else if (word === 'bye') socket.end();
      heard.resolve();
      heard = Promise.withResolvers();
    });
  });
  const { port, close } = await listening(server);
  t.teardown(close);
  async function until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await heard.promise;
  }
  return { port, holders, copied, found, until, mostAtOnce: () => mostAtOnce };
}

async function filled(directory: string): Promise<void> {
  await mkdir(join(directory, 'copied'));
  const { records } = createFilesystemStore({ path: join(directory, 'store') });
  const tasks = createTaskRecords({ records });
  const kept = Array.from({ length: images }, (_, index) =>
    tasks.keep(`target/ci:${index}`, {
      source: parseImageReference(`source/ci:${index}`),
      destination: parseImageReference(`target/ci:${index}`),
      priority: 'change',
      owner: 'test',
      createdAt: index,
    }),
  );
  await Promise.all(kept);
  await tasks.close();
}

/** How many tasks wait: what is done leaves less behind. */
async function left(directory: string): Promise<number> {
  const { records } = createFilesystemStore({ path: join(directory, 'store') });
  let tasks = 0;
  for await (const { size } of records.list(queuedPrefix)) if (size > longestTrace) tasks += 1;
  return tasks;
}

test('of two instances that are killed at random one works at a time, and all images arrive', async (t) => {
  const directory = t.testdir({});
  await filled(directory);
  const { port, holders, copied, found, until, mostAtOnce } = await witness(t);
  const instances = new Map<string, ChildProcess>();
  let started = 0;

  function start(): void {
    started += 1;
    const name = `instance-${started}`;
    const args = [script, directory, `${port}`, name];
    instances.set(name, spawn(process.execPath, args, { stdio: 'inherit' }));
  }

  async function end(name: string, signal: NodeJS.Signals): Promise<void> {
    const instance = instances.get(name);
    instances.delete(name);
    if (instance === undefined) return;
    const gone = once(instance, 'exit');
    instance.kill(signal);
    await gone;
  }

  t.teardown(() => Promise.all([...instances.keys()].map((name) => end(name, 'SIGKILL'))));
  start();
  start();
  for (let kill = 1; kill <= kills; kill += 1) {
    const enough = copied.length + Math.ceil(Math.random() * 20);
    await until(() => copied.length >= Math.min(enough, images - 1) && holders.length >= kill);
    await end(holders.at(-1) ?? '', 'SIGKILL');
    start();
  }
  // A copy whose maker was killed before it could say so is found by the next one.
  await until(() => new Set([...copied, ...found]).size === images);
  await seenTrue(async () => (await left(directory)) === 0, 'the end of all tasks');
  for (const name of [...instances.keys()]) await end(name, 'SIGTERM');
  t.equal(await left(directory), 0);
  t.equal((await readdir(join(directory, 'copied'))).length, images);
  t.equal(new Set(copied).size, copied.length, 'what was there is not copied again');
  t.equal(mostAtOnce(), 1);
  t.ok(holders.length > kills, `${holders.length} takeovers`);
});
