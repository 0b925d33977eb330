import { test } from 'tap';
import { createWorkQueue, type WorkQueueOptions } from '../../../src/mirror/loop/work-queue.ts';
import { createManualClock } from '../../support/manual-clock.ts';

/** Runs until the work says that it is enough. */
async function worked(
  keys: readonly string[],
  work: (key: string, stop: () => void) => Promise<void>,
  options: Partial<WorkQueueOptions> = {},
) {
  const stop = new AbortController();
  const queue = createWorkQueue({
    firstPauseMs: 1,
    ...options,
    work: (key) => work(key, () => stop.abort()),
  });
  for (const key of keys) queue.add(key);
  await queue.run(stop.signal);
}

test('each key is looked at once, in the order in which they came', async (t) => {
  const seen: string[] = [];
  await worked(['a', 'b', 'a', 'c', 'b'], async (key, stop) => {
    seen.push(key);
    if (seen.length === 3) stop();
  });
  t.same(seen, ['a', 'b', 'c']);
});

test('a key that comes while it is looked at is looked at again', async (t) => {
  const stop = new AbortController();
  let looks = 0;
  const queue = createWorkQueue({
    async work(key) {
      looks += 1;
      if (looks === 1) queue.add(key);
      else stop.abort();
    },
  });
  queue.add('a');
  await queue.run(stop.signal);
  t.equal(looks, 2);
});

test('one is looked at at a time', async (t) => {
  let running = 0;
  let most = 0;
  await worked(['a', 'b', 'c'], async (key, stop) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    if (key === 'c') stop();
  });
  t.equal(most, 1);
});

test('a key that failed comes back after a pause that doubles, and does not hold up others', async (t) => {
  const seen: string[] = [];
  const clock = createManualClock();
  const times: number[] = [];
  const done = worked(
    ['bad', 'good'],
    async (key, stop) => {
      seen.push(key);
      if (key === 'good') return;
      times.push(clock.now());
      if (times.length === 5) return stop();
      throw new Error('not now');
    },
    { firstPauseMs: 20, longestPauseMs: 50, clock },
  );
  await clock.pass(200);
  await done;
  t.same(seen, ['bad', 'good', 'bad', 'bad', 'bad', 'bad']);
  t.same(times, [0, 20, 60, 110, 160]);
});

test('news of a key that failed do not wait for the pause', async (t) => {
  const stop = new AbortController();
  let looks = 0;
  const queue = createWorkQueue({
    firstPauseMs: 60_000,
    async work(key) {
      looks += 1;
      if (looks === 2) return stop.abort();
      setImmediate(() => queue.add(key));
      throw new Error('not now');
    },
  });
  queue.add('a');
  await queue.run(stop.signal);
  t.equal(looks, 2);
});

test('depth, additions, repeats and times are told', async (t) => {
  const told: string[] = [];
  const depths: number[] = [];
  const events = {
    workqueueAdded: () => told.push('added'),
    workqueueRetried: () => told.push('retried'),
    workqueueChanged: ({ depth }: { depth: number }) => depths.push(depth),
    workqueueStarted: ({ waitedSeconds }: { waitedSeconds: number }) =>
      told.push(`started ${waitedSeconds >= 0}`),
    workqueueEnded: ({ seconds }: { seconds: number }) => told.push(`ended ${seconds >= 0}`),
  };
  let looks = 0;
  await worked(
    ['a', 'b'],
    async (_, stop) => {
      looks += 1;
      if (looks === 1) throw new Error('not now');
      if (looks === 3) stop();
    },
    { events },
  );
  const look = ['started true', 'ended true'];
  t.same(told.slice(0, 2), ['added', 'added']);
  t.equal(told.filter((line) => line === 'retried').length, 1);
  t.equal(told.filter((line) => line === 'added').length, 3);
  t.equal(told.filter((line) => look.includes(line)).length, 6);
  t.same(depths.slice(0, 2), [1, 2]);
  t.equal(depths.at(-1), 0);
});
