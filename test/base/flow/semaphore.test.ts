import { test } from 'tap';
import { Semaphore } from '../../../src/base/flow/semaphore.ts';

test('so many hold a permit at a time, and the one that waits longest is next', async (t) => {
  const semaphore = new Semaphore({ permits: 2 });
  const order: number[] = [];
  const first = await semaphore.acquire();
  await semaphore.acquire();
  const third = semaphore.acquire().then((release) => {
    order.push(3);
    release();
  });
  const fourth = semaphore.acquire().then(() => order.push(4));
  t.same(order, []);
  first();
  first();
  await Promise.all([third, fourth]);
  t.same(order, [3, 4]);
});

test('work under one key waits for no other key', async (t) => {
  const semaphore = new Semaphore({ permits: 1 });
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const slow = semaphore.run(() => gate.promise, undefined, 'a');
  const behind = [1, 2].map((each) => semaphore.run(async () => void order.push(`a${each}`), undefined, 'a'));
  await semaphore.run(async () => void order.push('b'), undefined, 'b');
  gate.resolve();
  await Promise.all([slow, ...behind]);
  t.same(order, ['b', 'a1', 'a2']);
});

test('work that fails gives its permit back', async (t) => {
  const semaphore = new Semaphore({ permits: 1 });
  await t.rejects(
    semaphore.run(() => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  );
  t.equal(await semaphore.run(async () => 'next'), 'next');
});

test('one waiter too many is refused', async (t) => {
  const semaphore = new Semaphore({ permits: 1, maxWaiting: 1, full: () => new Error('full') });
  const release = await semaphore.acquire();
  const next = semaphore.acquire();
  await t.rejects(semaphore.acquire(), { message: 'full' });
  release();
  t.type(await next, 'function');
});

test('a waiter that leaves makes room for the next', async (t) => {
  const semaphore = new Semaphore({ permits: 1 });
  const release = await semaphore.acquire();
  const leaving = new AbortController();
  const gone = semaphore.acquire(leaving.signal);
  const next = semaphore.acquire();
  leaving.abort(new Error('gone'));
  await t.rejects(gone, { message: 'gone' });
  release();
  t.type(await next, 'function');
  await t.rejects(semaphore.acquire(leaving.signal), { message: 'gone' });
});

test('a waiter that leaves in the instant of its permit passes it on', async (t) => {
  const semaphore = new Semaphore({ permits: 1 });
  const release = await semaphore.acquire();
  const leaving = new AbortController();
  const gone = semaphore.acquire(leaving.signal);
  const next = semaphore.acquire();
  release();
  leaving.abort(new Error('gone'));
  await t.rejects(gone, { message: 'gone' });
  t.type(await next, 'function');
});

test('permits that become more let in several at once', async (t) => {
  let permits = 1;
  const semaphore = new Semaphore({ permits: () => permits });
  const release = await semaphore.acquire();
  const waiting = [semaphore.acquire(), semaphore.acquire()];
  permits = 2;
  release();
  t.equal((await Promise.all(waiting)).length, 2);
});
