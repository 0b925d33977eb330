import { test } from 'tap';
import { CopyError } from '../../../src/mirror/failure.ts';
import { createQueue } from '../../../src/mirror/queue/queue.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { longestTrace } from '../../../src/mirror/queue/task-record.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Records } from '../../../src/store/records.ts';

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
 * Records whose writes, once they are slow, arrive when the round comes to it: in any order, long
 * after another has taken over.
 */
function slowing(records: Records, late: (() => void)[]) {
  let isSlow = false;
  const delayed = <T>(write: () => Promise<T>): Promise<T> => {
    if (!isSlow) return write();
    const { promise, resolve } = Promise.withResolvers<void>();
    late.push(resolve);
    return promise.then(write);
  };
  const slow: Records = {
    ...records,
    put: (...args) => delayed(() => records.put(...args)),
    delete: (key) => delayed(() => records.delete(key)),
  };
  const slowDown = (): void => {
    isSlow = true;
  };
  return { records: slow, slowDown };
}

/**
 * The queue against the simplest possible one: for each destination the latest wish, and the latest
 * that was fulfilled. Whatever happens in between, crashes too and writes that arrive late, no
 * destination is worked at twice at a time, and in the end each has what was wished last, or a
 * later wish of a process that died over it.
 */
test('whatever happens, the last wish for each destination is fulfilled in the end', async (t) => {
  const broken: string[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const fault = await played(round);
    if (fault !== undefined) broken.push(`round ${round}: ${fault}`);
  }
  t.same(broken, []);
});

function destinationBy(roll: (limit: number) => number): string {
  return `quay.io/openshift/ci:${roll(destinations)}`;
}

async function played(seed: number): Promise<string | undefined> {
  const roll = dice(seed);
  const { records } = createMemoryStore();
  const clock = { now: 1 };
  const late: (() => void)[] = [];
  let way = slowing(records, late);
  const made = () =>
    createQueue({
      records: createTaskRecords({ records: way.records, retryMs: 1 }),
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
      if (running.has(task.destination.text)) return `${task.destination.text} runs twice`;
      running.set(task.destination.text, task);
    }
    return undefined;
  };
  const finish = (task: MirrorTask): void => {
    running.delete(task.destination.text);
    fulfilled.set(task.destination.text, Number(task.sourceDigest));
    current.done(task.destination.text);
  };
  const wishFor = (destination: string, digest = ++serial): MirrorTask => ({
    source: parseImageReference(`registry${roll(3)}.example/ci/x:latest`),
    destination: parseImageReference(destination),
    priority: roll(2) === 0 ? 'miss' : 'resync',
    owner: 'model',
    createdAt: clock.now,
    sourceDigest: String(digest),
  });
  const put = async (): Promise<void> => {
    const destination = destinationBy(roll);
    const isRepeated = roll(4) === 0 && wished.has(destination);
    const task = wishFor(destination, isRepeated ? wished.get(destination) : undefined);
    wished.set(destination, Number(task.sourceDigest));
    await current.put(task);
  };
  /** The purpose of its last writes is unknown. */
  const die = (): void => {
    way.slowDown();
    for (const task of [...running.values()].slice(roll(3))) finish(task);
    for (let wish = roll(4); wish > 0; wish -= 1) void current.put(wishFor(destinationBy(roll)));
  };
  const crash = async (): Promise<void> => {
    if (roll(2) === 0) die();
    running.clear();
    way = slowing(records, late);
    current = made();
    await current.load();
  };
  const arrive = (): void => {
    for (const write of late.splice(roll(late.length + 1), 1)) write();
  };
  const fail = (task: MirrorTask): void => {
    running.delete(task.destination.text);
    const kinds = ['throttled', 'unavailable', 'schema-1'] as const;
    current.failed(task.destination.text, new CopyError(kinds[roll(3)] ?? 'throttled', 'x'));
  };
  const release = (task: MirrorTask): void => {
    running.delete(task.destination.text);
    current.released(task.destination.text);
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
    if (roll(10) === 0) arrive();
  }
  for (const write of late.splice(0)) write();
  await crash();

  while (current.count() > 0) {
    clock.now += 1000;
    current.retry();
    const fault = start();
    if (fault !== undefined) return fault;
    if (running.size === 0) return 'something waits that never starts';
    for (const task of [...running.values()]) finish(task);
  }
  await current.close();
  for await (const { key, size } of records.list('v1/tasks/'))
    if (size > longestTrace) return `${key} is left behind`;
  for (const [destination, digest] of wished) {
    if ((fulfilled.get(destination) ?? 0) < digest)
      return `${destination} has ${fulfilled.get(destination)}, not ${digest}`;
  }
  return undefined;
}
