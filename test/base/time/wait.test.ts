import { test } from 'tap';
import {
  anySignal,
  fairTimer,
  hasSlept,
  sleep,
  unlessAborted,
  withFairTimeout,
  withTimeout,
} from '../../../src/base/time/wait.ts';
import { createManualClock } from '../../support/manual-clock.ts';

test('a sleep ends after its time, and not before', async (t) => {
  const clock = createManualClock();
  let isOver = false;
  const slept = sleep(100, undefined, clock).then(() => {
    isOver = true;
  });
  await clock.pass(99);
  t.equal(isOver, false);
  await clock.pass(1);
  await slept;
  t.equal(clock.running, 0);
});

test('a sleep that is aborted throws the reason and leaves no timer behind', async (t) => {
  const clock = createManualClock();
  const control = new AbortController();
  const slept = sleep(100, control.signal, clock);
  control.abort(new Error('left'));
  await t.rejects(slept, { message: 'left' });
  await t.rejects(sleep(100, control.signal, clock), { message: 'left' });
  t.equal(clock.running, 0);
});

test('hasSlept tells a sleep that ended from one that was aborted', async (t) => {
  const clock = createManualClock();
  const control = new AbortController();
  const first = hasSlept(100, control.signal, clock);
  await clock.pass(100);
  t.equal(await first, true);
  const second = hasSlept(100, control.signal, clock);
  control.abort();
  t.equal(await second, false);
});

test('an outcome in time is the outcome, a failure too, and its timer is gone', async (t) => {
  const clock = createManualClock();
  t.equal(await withTimeout(Promise.resolve('done'), 10, () => 'late', clock), 'done');
  await t.rejects(
    withTimeout(Promise.reject(new Error('broken')), 10, () => 'late', clock),
    { message: 'broken' },
  );
  t.equal(clock.running, 0);
});

test('what takes too long is replaced, or throws, and its later failure is dropped', async (t) => {
  const clock = createManualClock();
  const slow = Promise.withResolvers<string>();
  const replaced = withTimeout(slow.promise, 10, () => 'late', clock);
  const thrown = withTimeout(slow.promise, 20, undefined, clock);
  await clock.pass(10);
  t.equal(await replaced, 'late');
  const rejected = t.rejects(thrown, { message: 'there was no answer within 20 ms' });
  await clock.pass(10);
  await rejected;
  slow.reject(new Error('after the end'));
});

test('a waiter may leave, and the work goes on', async (t) => {
  const control = new AbortController();
  const work = Promise.withResolvers<string>();
  const left = unlessAborted(work.promise, control.signal);
  const stayed = unlessAborted(work.promise);
  control.abort(new Error('left'));
  await t.rejects(left, { message: 'left' });
  await t.rejects(unlessAborted(work.promise, control.signal), { message: 'left' });
  work.resolve('done');
  t.equal(await stayed, 'done');
});

test('signals that are absent do not count', (t) => {
  const control = new AbortController();
  const signal = anySignal(undefined, control.signal);
  t.equal(signal.aborted, false);
  control.abort();
  t.equal(signal.aborted, true);
  t.end();
});

test('a process that was too busy to read the answer does not take it for late', async (t) => {
  const clock = createManualClock();
  const slow = Promise.withResolvers<string>();
  const fair = withFairTimeout(slow.promise, 100, () => 'late', clock);
  await clock.pass(90);
  slow.resolve('done');
  t.equal(await fair, 'done');
  t.equal(clock.running, 0);
  const busy = Promise.withResolvers<string>();
  const blocked = withFairTimeout(busy.promise, 10, () => 'late');
  const begunAt = performance.now();
  while (performance.now() - begunAt < 50);
  setImmediate(() => busy.resolve('done'));
  t.equal(await blocked, 'done');
});

test('a fair time-out replaces what takes too long, and drops its later failure', async (t) => {
  const clock = createManualClock();
  const slow = Promise.withResolvers<string>();
  const replaced = withFairTimeout(slow.promise, 100, () => 'late', clock);
  for (let slice = 0; slice < 10; slice += 1) await clock.pass(10);
  t.equal(await replaced, 'late');
  t.equal(clock.running, 0);
  slow.reject(new Error('after the end'));
});

test('a tenth that was late is not the last one, but once', (t) => {
  let now = 0;
  let slice = (): void => undefined;
  let sliceMs = 0;
  let calls = 0;
  const timer = { refresh: () => undefined, unref: () => undefined, [Symbol.dispose]: () => undefined };
  const clock = {
    now: () => now,
    setTimeout(callback: () => void, ms: number) {
      slice = callback;
      sliceMs = ms;
      return timer;
    },
  };
  const passes = (ms: number): void => {
    now += ms;
    slice();
  };
  const fair = fairTimer(() => (calls += 1), 95, clock);
  t.equal(sliceMs, 10, 'no less than was said in all');
  for (const lastMs of [10, 1_000]) {
    for (let slices = 0; slices < 9; slices += 1) passes(10);
    passes(1_000);
    t.equal(calls, 0);
    passes(lastMs);
    t.equal(calls, 1);
    calls = 0;
    fair.refresh();
  }
  t.end();
});
