import { test } from 'tap';
import { type LoginOrigin, LoginPlaces } from '../../src/auth/login-places.ts';

const bounds = { maxRunning: 1, maxWaiting: 4, maxWaitMs: 60_000 };

/**
 * Logins that wait behind one; `order` says in which order they had their turn once that one is
 * over.
 */
async function order(options: ConstructorParameters<typeof LoginPlaces>[0], ...origins: LoginOrigin[]) {
  const places = new LoginPlaces(options);
  const first = Promise.withResolvers<void>();
  const running = places.run(() => first.promise);
  const done: number[] = [];
  const waiting = origins.map((origin, index) => places.run(async () => done.push(index), origin));
  first.resolve();
  await running;
  const outcomes = await Promise.allSettled(waiting);
  return { done, refused: outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : [])) };
}

test('a credential that was right before goes first, then who has not failed, then the others', async (t) => {
  const hasFailed = (address: string): boolean => address === 'guesser';
  const [guess, other] = [{ address: 'guesser' }, { address: 'node' }];
  const { done } = await order({ ...bounds, hasFailed }, guess, other, { ...guess, isKnown: true });
  t.same(done, [2, 1, 0]);
});

test('addresses take turns, and names at one address', async (t) => {
  const [a, b] = [
    { address: 'a', name: '1' },
    { address: 'b', name: '1' },
  ];
  t.same((await order(bounds, a, a, { ...a, name: '2' }, b)).done, [0, 3, 2, 1]);
});

test('guesses that fill the places give one up to a login from elsewhere, and to another name', async (t) => {
  const guess = { address: 'a', name: 'x' };
  const { refused, done } = await order(
    bounds,
    guess,
    guess,
    guess,
    guess,
    { address: 'b' },
    { ...guess, name: 'y' },
  );
  t.same(refused, [2, 3]);
  t.same(done, [0, 4, 5, 1]);
});

test('no login waits beyond its limit, and a place is free again after a failure', async (t) => {
  const places = new LoginPlaces({ ...bounds, maxWaitMs: 5 });
  const first = Promise.withResolvers<void>();
  const running = places.run(() => first.promise);
  await t.rejects(
    places.run(async () => 'late'),
    { code: 'TOOMANYREQUESTS', retryAfterSeconds: 2 },
  );
  first.reject(new Error('broken'));
  await t.rejects(running, { message: 'broken' });
  t.equal(await places.run(async () => 'next'), 'next');
});
