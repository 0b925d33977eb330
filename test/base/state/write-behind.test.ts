import { test } from 'tap';
import { WriteBehind } from '../../../src/base/state/write-behind.ts';
import { createManualClock } from '../../support/manual-clock.ts';

/** A medium that records what it gets, one write after another as the test lets it. */
function medium() {
  const written: string[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  return {
    written,
    gates,
    write(key: string, job: number): Promise<void> {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      return gate.promise.then(() => void written.push(`${key}=${job}`));
    },
  };
}

test('what is added for a key in several steps is one job', async (t) => {
  const { written, gates, write } = medium();
  const queue = new WriteBehind<number>({ write });
  for (const job of [1, 2, 3]) queue.add('a', job);
  t.equal(gates.length, 0);
  t.equal(queue.waiting('a'), 3);
  await new Promise(setImmediate);
  gates[0]?.resolve();
  await queue.close();
  t.same(written, ['a=3']);
});

test('jobs of one key are done one after another, and only the latest of those that wait', async (t) => {
  const { written, gates, write } = medium();
  const queue = new WriteBehind<number>({ write });
  queue.add('a', 1);
  await new Promise(setImmediate);
  for (const job of [2, 3]) queue.add('a', job);
  t.equal(gates.length, 1);
  t.equal(queue.waiting('a'), 3);
  gates[0]?.resolve();
  await new Promise(setImmediate);
  gates[1]?.resolve();
  await queue.close();
  t.same(written, ['a=1', 'a=3']);
});

test('a failed job never replaces a later one of its key', async (t) => {
  const { written, gates, write } = medium();
  const queue = new WriteBehind<number>({ write });
  queue.add('a', 1);
  await new Promise(setImmediate);
  queue.add('a', 2);
  gates[0]?.reject(new Error('down'));
  await new Promise(setImmediate);
  const closed = queue.close();
  gates[1]?.resolve();
  await closed;
  t.same(written, ['a=2']);
});

test('after a failure everything pauses, then goes on by itself', async (t) => {
  let calls = 0;
  const done = Promise.withResolvers<void>();
  const queue = new WriteBehind<number>({
    retryMs: 1,
    concurrency: 1,
    async write() {
      calls += 1;
      if (calls === 1) throw new Error('down');
      if (calls === 4) done.resolve();
    },
  });
  const alive = setTimeout(() => {}, 10_000);
  for (const key of ['a', 'b', 'c']) queue.add(key, 0);
  await done.promise;
  clearTimeout(alive);
  t.equal(calls, 4);
  await queue.close();
});

test('while the medium is down the pauses double, up to 64 times the first', async (t) => {
  const clock = createManualClock();
  let tries = 0;
  const queue = new WriteBehind<number>({
    retryMs: 10,
    clock,
    async write() {
      tries += 1;
      throw new Error('down');
    },
  });
  queue.add('a', 1);
  await new Promise(setImmediate);
  for (const pauseMs of [10, 20, 40, 80, 160, 320, 640, 640, 640]) {
    const before = tries;
    await clock.pass(pauseMs - 1);
    t.equal(tries, before, `${pauseMs}`);
    await clock.pass(1);
    t.equal(tries, before + 1);
  }
  await queue.close();
});

test('a job that waits is told of the later one of its key, one under way is not', async (t) => {
  const told: string[] = [];
  const done = Promise.withResolvers<void>();
  const queue = new WriteBehind<string>({
    write: () => done.promise,
    replaced: (before, job) => told.push(`${before} ${job}`),
  });
  queue.add('a', 'running');
  await new Promise(setImmediate);
  for (const job of ['waiting', 'latest']) queue.add('a', job);
  done.resolve();
  await queue.close();
  t.same(told, ['waiting latest']);
});

test('settling ends while the medium is down, and says what failed', async (t) => {
  const failures: unknown[] = [];
  const queue = new WriteBehind<number>({
    write: () => Promise.reject(new Error('down')),
    failed: (error) => failures.push(error),
  });
  queue.add('a', 1);
  await queue.settled();
  await queue.close();
  t.ok(failures.length >= 2);
  t.equal(queue.waiting('a'), 1);
});

test('what waits is bounded: the oldest is given up', async (t) => {
  const dropped: string[] = [];
  const { gates, write } = medium();
  const queue = new WriteBehind<number>({
    write,
    concurrency: 1,
    maxWaiting: 2,
    dropped: (key) => dropped.push(key),
  });
  for (const key of ['running', 'a', 'b', 'c']) queue.add(key, 0);
  t.same(dropped, ['a']);
  const closed = queue.close();
  for (let index = 0; index < 3; index += 1) {
    gates[index]?.resolve();
    await new Promise(setImmediate);
  }
  await closed;
  queue.add('late', 0);
  t.same(dropped, ['a', 'late']);
});

test('who has many jobs waiting neither holds up nor displaces who has few', async (t) => {
  const { written, gates, write } = medium();
  const dropped: string[] = [];
  const options = { write, concurrency: 1, maxWaiting: 5, laneOf: (job: number) => `${job}` };
  const queue = new WriteBehind<number>({ ...options, dropped: (key) => dropped.push(key) });
  for (const key of ['a', 'b']) queue.add(key, 1);
  for (let index = 0; index < 20; index += 1) queue.add(`many ${index}`, 2);
  t.equal(dropped.length, 16);
  t.ok(dropped.every((key) => key.startsWith('many')));
  const closed = queue.close();
  for (let index = 0; index < 6; index += 1) {
    gates[index]?.resolve();
    await new Promise(setImmediate);
  }
  await closed;
  t.same(written.slice(0, 3), ['a=1', 'many 16=2', 'b=1']);
});
