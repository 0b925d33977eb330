import { test } from 'tap';
import { memoryStore } from '../../../src/cache/store/memory-store.ts';
import { CopyError } from '../../../src/mirror/failure.ts';
import { queue } from '../../../src/mirror/queue/queue.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { taskRecords } from '../../../src/mirror/queue/task-records.ts';

const rounds = 40;
const steps = 150;
const destinations = 6;

/** A generator of pseudo-random numbers below `limit`, so that a failing round can be repeated. */
function dice(seed: number): (limit: number) => number {
  let state = seed * 2654435761 + 1;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/**
 * The queue against the simplest one there could be: for each destination the latest wish, and the latest that was fulfilled. Whatever
 * happens in between, crashes too, no destination is worked at twice at a time, and in the end each has what was wished last.
 */
test('whatever happens, the last wish for each destination is fulfilled in the end', async (t) => {
  const broken: string[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const fault = await played(round);
    if (fault !== undefined) broken.push(`round ${round}: ${fault}`);
  }
  t.same(broken, []);
});

async function played(seed: number): Promise<string | undefined> {
  const roll = dice(seed);
  const { records } = memoryStore();
  const clock = { now: 1 };
  const made = () =>
    queue({
      records: taskRecords({ records, retryMs: 1 }),
      places: 1 + roll(6),
      now: () => clock.now,
      random: () => roll(100) / 100,
      firstPauseMs: 10,
      longestPauseMs: 100,
      parkedMs: 1000,
    });
  const wished = new Map<string, number>();
  const fulfilled = new Map<string, number>();
  const running = new Map<string, MirrorTask>();
  let current = made();
  let serial = 0;

  const start = (): string | undefined => {
    for (const task of current.take()) {
      if (running.has(task.destination)) return `${task.destination} runs twice`;
      running.set(task.destination, task);
    }
    return undefined;
  };
  const finish = (task: MirrorTask): void => {
    running.delete(task.destination);
    fulfilled.set(task.destination, Number(task.sourceDigest));
    current.done(task.destination);
  };
  const put = async (): Promise<void> => {
    const destination = `quay.io/openshift/ci:${roll(destinations)}`;
    const isRepeated = roll(4) === 0 && wished.has(destination);
    serial += 1;
    const digest = isRepeated ? (wished.get(destination) ?? 0) : serial;
    wished.set(destination, digest);
    await current.put({
      source: `registry${roll(3)}.example/ci/x:latest`,
      destination,
      priority: roll(2) === 0 ? 'miss' : 'resync',
      owner: 'model',
      createdAt: clock.now,
      sourceDigest: String(digest),
    });
  };
  const crash = async (): Promise<void> => {
    running.clear();
    current = made();
    await current.load();
  };
  const fail = (task: MirrorTask): void => {
    running.delete(task.destination);
    const kinds = ['throttled', 'unavailable', 'schema-1'] as const;
    current.failed(task.destination, new CopyError(kinds[roll(3)] ?? 'throttled', 'x'));
  };
  const release = (task: MirrorTask): void => {
    running.delete(task.destination);
    current.released(task.destination);
  };

  for (let step = 0; step < steps; step += 1) {
    clock.now += roll(30);
    const [one] = [...running.values()].slice(roll(Math.max(1, running.size)));
    const fault = start();
    if (fault !== undefined) return fault;
    const choice = roll(12);
    if (choice < 5) await put();
    else if (choice < 8 && one !== undefined) finish(one);
    else if (choice < 10 && one !== undefined) fail(one);
    else if (choice === 10 && one !== undefined) release(one);
    else if (choice === 11 && roll(3) === 0) await crash();
  }

  while (current.count() > 0) {
    clock.now += 1000;
    current.retry();
    const fault = start();
    if (fault !== undefined) return fault;
    if (running.size === 0) return 'something waits that never starts';
    for (const task of [...running.values()]) finish(task);
  }
  await current.close();
  for await (const { key } of records.list('v1/tasks/')) return `${key} is left behind`;
  for (const [destination, digest] of wished) {
    if (fulfilled.get(destination) !== digest)
      return `${destination} has ${fulfilled.get(destination)}, not ${digest}`;
  }
  return undefined;
}
