import { test } from 'tap';
import type { Cluster } from '../../../src/auth/clusters/cluster.ts';
import { fairlyReviewed } from '../../../src/auth/clusters/fair-reviews.ts';
import { remembered } from '../../../src/auth/clusters/remembered.ts';
import { LoginPlaces } from '../../../src/auth/login-places.ts';

/** A cluster that answers when it is told to, and knows the token `good`. */
function slowCluster() {
  const asked: string[] = [];
  const open: (() => void)[] = [];
  const cluster: Cluster = {
    name: 'c',
    review(token) {
      asked.push(token);
      const { promise, resolve } = Promise.withResolvers<{ name: string; groups: [] } | undefined>();
      open.push(() => resolve(token === 'good' ? { name: 'somebody', groups: [] } : undefined));
      return promise;
    },
    ask: async () => ({ allowed: true }),
    close: async () => {},
  };
  const answer = async (): Promise<void> => {
    await new Promise(setImmediate);
    open.shift()?.();
    await new Promise(setImmediate);
  };
  return { asked, cluster, answer };
}

test('a token that was known before is looked at before all made-up ones', async (t) => {
  let clock = 0;
  const { asked, cluster, answer } = slowCluster();
  const places = new LoginPlaces({ maxRunning: 1, maxWaiting: 100, maxWaitMs: 60_000 });
  const known = remembered(fairlyReviewed(cluster, places), { tokenMs: 1_000, now: () => clock });
  const login = known.review('good', 'node');
  await answer();
  t.match(await login, { name: 'somebody' });
  clock = 2_000;
  const guesses = Array.from({ length: 50 }, (_, n) => known.review(`guess ${n}`, 'guesser'));
  const again = known.review('good', 'guesser');
  await new Promise(setImmediate);
  await answer();
  t.same(asked.slice(1), ['guess 0', 'good'], 'the one that runs, then the known one');
  await answer();
  t.match(await again, { name: 'somebody' });
  for (const _ of guesses) await answer();
  await Promise.all(guesses);
});

test('made-up tokens from one address hold up no login from another, however many they are', async (t) => {
  const { asked, cluster, answer } = slowCluster();
  const places = new LoginPlaces({ maxRunning: 1, maxWaiting: 10, maxWaitMs: 60_000 });
  const reviewed = fairlyReviewed(cluster, places);
  const guesses = Array.from({ length: 50 }, async (_, n) => reviewed.review(`guess ${n}`, 'guesser'));
  const outcomes = Promise.allSettled(guesses);
  const login = reviewed.review('good', 'node');
  await new Promise(setImmediate);
  for (let time = 0; time < 3; time += 1) await answer();
  t.match(await login, { name: 'somebody' });
  t.ok(asked.indexOf('good') <= 2);
  for (let time = 0; time < 10; time += 1) await answer();
  const refused = (await outcomes).filter(({ status }) => status === 'rejected');
  t.equal(refused.length, 40);
  t.match(refused[0], { reason: { code: 'TOOMANYREQUESTS' } });
});
