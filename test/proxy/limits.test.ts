import { test } from 'tap';
import type { ProxyEvents } from '../../src/proxy/events.ts';
import { limit } from '../../src/proxy/limits.ts';

const bounds = { limit: 'read', maxRunning: 2, maxInQueue: 2, maxWaitInQueueMs: 60_000 } as const;

test('a free slot is had at once', async (t) => {
  const leave = limit(bounds).enter();
  t.notOk(leave instanceof Promise);
});

test('those who wait are served in the order they came', async (t) => {
  const slots = limit({ ...bounds, maxRunning: 1 });
  const order: string[] = [];
  const first = await slots.enter();
  const waiting = ['a', 'b'].map(async (name) => {
    const leave = await slots.enter();
    order.push(name);
    leave();
  });
  t.same(order, []);
  first();
  await Promise.all(waiting);
  t.same(order, ['a', 'b']);
  t.notOk(slots.enter() instanceof Promise, 'and the slot is free again');
});

test('a full queue refuses with 429 and a time to come back', async (t) => {
  const refused: unknown[] = [];
  const slots = limit({
    ...bounds,
    maxRunning: 1,
    maxInQueue: 0,
    events: { limitRefused: (e) => refused.push(e) },
  });
  await slots.enter();
  t.throws(() => slots.enter(), { code: 'TOOMANYREQUESTS', status: 429, retryAfterSeconds: 1 });
  t.same(refused, [{ limit: 'read', reason: 'queue-full' }]);
});

test('nobody waits longer than the limit says', async (t) => {
  const slots = limit({ ...bounds, maxRunning: 1, maxInQueue: 1, maxWaitInQueueMs: 5 });
  const leave = await slots.enter();
  await t.rejects(Promise.resolve(slots.enter()), { code: 'TOOMANYREQUESTS' });
  const next = slots.enter();
  t.ok(next instanceof Promise, 'the place in the queue is free again');
  leave();
  (await next)();
});

test('a client that leaves gives up its place', async (t) => {
  const slots = limit({ ...bounds, maxRunning: 1, maxInQueue: 1 });
  const client = new AbortController();
  const leave = await slots.enter();
  const waiting = slots.enter(() => client.signal);
  client.abort(new Error('gone'));
  await t.rejects(Promise.resolve(waiting), { message: 'gone' });
  const next = slots.enter();
  leave();
  (await next)();
});

test('a slot is given back once, however often one leaves', async (t) => {
  const slots = limit({ ...bounds, maxInQueue: 0 });
  const leave = await slots.enter();
  await slots.enter();
  leave();
  leave();
  await slots.enter();
  t.throws(() => slots.enter(), { code: 'TOOMANYREQUESTS' });
});

test('0 is no limit', async (t) => {
  const slots = limit({ ...bounds, maxRunning: 0, maxInQueue: 0 });
  for (let i = 0; i < 1000; i++) t.notOk(slots.enter() instanceof Promise);
});

test('without a limit on waiting one waits as long as it takes', async (t) => {
  const slots = limit({ ...bounds, maxRunning: 1, maxWaitInQueueMs: 0 });
  const leave = await slots.enter();
  const next = slots.enter();
  leave();
  t.type(await next, 'function');
});

test('what runs and waits is told with each change', async (t) => {
  const told: string[] = [];
  const limitChanged: ProxyEvents['limitChanged'] = (e) => told.push(`${e.running}/${e.waiting}`);
  const slots = limit({ ...bounds, maxRunning: 1, events: { limitChanged } });
  const leave = await slots.enter();
  const next = slots.enter();
  leave();
  (await next)();
  t.same(told, ['1/0', '1/1', '1/0', '0/0']);
});
