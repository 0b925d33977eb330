import { test } from 'tap';
import { createLimit } from '../../../src/proxy/clients/limits.ts';
import type { ProxyEvents } from '../../../src/proxy/events.ts';

const bounds = { limit: 'read', maxRunning: 2, maxInQueue: 2, maxWaitInQueueMs: 60_000 } as const;

test('a free slot is had at once', async (t) => {
  const leave = createLimit(bounds).enter();
  t.notOk(leave instanceof Promise);
});

test('those who wait are served in the order they came', async (t) => {
  const slots = createLimit({ ...bounds, maxRunning: 1 });
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
  const slots = createLimit({
    ...bounds,
    maxRunning: 1,
    maxInQueue: 0,
    events: { limitRefused: (e) => refused.push(e) },
  });
  await slots.enter();
  await t.rejects(async () => slots.enter(), { code: 'TOOMANYREQUESTS', status: 429, retryAfterSeconds: 1 });
  t.same(refused, [{ limit: 'read', reason: 'queue-full' }]);
});

test('no request waits longer than the limit', async (t) => {
  const slots = createLimit({ ...bounds, maxRunning: 1, maxInQueue: 1, maxWaitInQueueMs: 5 });
  const leave = await slots.enter();
  await t.rejects(Promise.resolve(slots.enter()), { code: 'TOOMANYREQUESTS' });
  const next = slots.enter();
  t.ok(next instanceof Promise, 'the place in the queue is free again');
  leave();
  (await next)();
});

test('a client that leaves gives up its place', async (t) => {
  const slots = createLimit({ ...bounds, maxRunning: 1, maxInQueue: 1 });
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
  const slots = createLimit({ ...bounds, maxInQueue: 0 });
  const leave = await slots.enter();
  await slots.enter();
  leave();
  leave();
  await slots.enter();
  await t.rejects(async () => slots.enter(), { code: 'TOOMANYREQUESTS' });
});

test('0 is no limit', async (t) => {
  const slots = createLimit({ ...bounds, maxRunning: 0, maxInQueue: 0 });
  for (let i = 0; i < 1000; i++) t.notOk(slots.enter() instanceof Promise);
});

test('without a limit on waiting one waits as long as it takes', async (t) => {
  const slots = createLimit({ ...bounds, maxRunning: 1, maxWaitInQueueMs: 0 });
  const leave = await slots.enter();
  const next = slots.enter();
  leave();
  t.type(await next, 'function');
});

test('what runs and waits can be asked for at any time', async (t) => {
  let told = (): string => 'nothing';
  const limitOpened: ProxyEvents['limitOpened'] = ({ running, waiting }) => {
    told = () => `${running()}/${waiting()}`;
  };
  const slots = createLimit({ ...bounds, maxRunning: 1, events: { limitOpened } });
  t.equal(told(), '0/0');
  const leave = await slots.enter();
  t.equal(told(), '1/0');
  const next = slots.enter();
  t.equal(told(), '1/1');
  leave();
  t.equal(told(), '1/0');
  (await next)();
  t.equal(told(), '0/0');
});

test('one address takes all but a tenth of the slots, and one subject no more', async (t) => {
  for (const who of [
    (n: number) => ['10.0.0.1', `subject ${n}`] as const,
    (n: number) => [`10.0.0.${n}`, 'robot'] as const,
  ]) {
    const slots = createLimit({ ...bounds, maxRunning: 100, maxInQueue: 100, maxWaitInQueueMs: 0 });
    const entered = Array.from({ length: 100 }, (_, n) => slots.enter(undefined, ...who(n)));
    t.equal(entered.filter((turn) => !(turn instanceof Promise)).length, 90);
    const other = slots.enter(undefined, '10.9.9.9', 'other');
    t.notOk(other instanceof Promise, 'others enter at once');
    const [leaving] = entered.slice(89, 90);
    (await leaving)?.();
    t.type(await entered[90], 'function', 'and the next of the same once one of theirs has left');
  }
});

test('those who wait take turns by address, and by subject', async (t) => {
  const slots = createLimit({ ...bounds, maxRunning: 1, maxInQueue: 9 });
  const order: string[] = [];
  const first = await slots.enter();
  const waiting = ['a/1', 'a/1', 'a/2', 'b/1'].map(async (name) => {
    const leave = await slots.enter(undefined, ...(name.split('/') as [string, string]));
    order.push(name);
    leave();
  });
  first();
  await Promise.all(waiting);
  t.same(order, ['a/1', 'b/1', 'a/2', 'a/1']);
});

test('an address that fills the queue gives up a place to one that has none', async (t) => {
  const slots = createLimit({ ...bounds, maxRunning: 1 });
  const leave = await slots.enter(undefined, 'a');
  const [kept, displaced] = [slots.enter(undefined, 'a'), slots.enter(undefined, 'a')];
  const other = slots.enter(undefined, 'b');
  await t.rejects(Promise.resolve(displaced), { code: 'TOOMANYREQUESTS' });
  leave();
  (await kept)();
  (await other)();
});

test('a limit that grows lets in who waits, and one that shrinks ends nothing', async (t) => {
  const slots = createLimit({ ...bounds, maxRunning: 1, maxInQueue: 2, maxWaitInQueueMs: 0 });
  const first = await slots.enter();
  const waiting = [slots.enter(), slots.enter()];
  slots.resize({ maxRunning: 3, maxInQueue: 0, maxWaitInQueueMs: 0 });
  const [second, third] = await Promise.all(waiting);
  slots.resize({ maxRunning: 1, maxInQueue: 0, maxWaitInQueueMs: 0 });
  await t.rejects(async () => slots.enter(), { code: 'TOOMANYREQUESTS' });
  first();
  second?.();
  await t.rejects(async () => slots.enter(), { code: 'TOOMANYREQUESTS' }, 'the third still runs');
  third?.();
  t.notOk(slots.enter() instanceof Promise);
});
