import { test } from 'tap';
import { createNotifier } from '../../../src/base/flow/notifier.ts';
import { createManualClock } from '../../support/manual-clock.ts';

test('a notification ends every wait that began before it, and none that begins after', async (t) => {
  const notifier = createNotifier();
  const both = [notifier.wait(), notifier.wait()];
  notifier.notify();
  await Promise.all(both);
  let isOver = false;
  const next = notifier.wait().then(() => {
    isOver = true;
  });
  await new Promise(setImmediate);
  t.equal(isOver, false);
  notifier.notify();
  await next;
});

test('a wait ends after its time, and leaves no timer behind when it ends before', async (t) => {
  const clock = createManualClock();
  const notifier = createNotifier(clock);
  const late = notifier.wait(100);
  await clock.pass(100);
  await late;
  const early = notifier.wait(100);
  notifier.notify();
  await early;
  t.equal(clock.running, 0);
});

test('a wait ends when its signal aborts, and does not begin when it has', async (t) => {
  const notifier = createNotifier();
  const control = new AbortController();
  const left = notifier.wait(undefined, control.signal);
  control.abort();
  await left;
  await notifier.wait(undefined, control.signal);
  t.pass('both have ended');
});
