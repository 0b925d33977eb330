import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import type { Subject } from '../../../src/auth/access.ts';
import {
  type AcceptedReview,
  type ReviewRecords,
  reviewSlot,
  sealedReview,
  sweepReviews,
} from '../../../src/auth/clusters/review-records.ts';
import { type ReviewSharing, SharedReviews } from '../../../src/auth/clusters/shared-reviews.ts';
import { LoginPlaces } from '../../../src/auth/login-places.ts';
import { parseTokenKeys, randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { until } from '../../support/bodies.ts';
import { createOwnWatch } from '../../support/own-watch.ts';

const tokenMs = 120_000;
const secret = Buffer.from('a secret of the test, of thirty-two bytes or more');
const keys = parseTokenKeys([secret.toString()]);
const alice: Subject = { name: 'alice', groups: ['dev'], uid: 'u-1', cluster: 'app.ci' };
const token = `sha256~${'a'.repeat(43)}`;
const other = `sha256~${'b'.repeat(43)}`;
const unheard = (error: unknown): void => {
  throw error;
};

function jwt(claims: object): string {
  return `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
}

/** Replicas of one store; each counts what it asks the cluster. */
function replicas() {
  const { records } = createMemoryStore();
  const clock = { now: 1_700_000_000_000 };
  const known = new Map<string, Subject>([[token, alice]]);
  const calls: string[] = [];
  const noted: ReviewRecords = {
    get: (key) => {
      calls.push('get');
      return records.get(key);
    },
    put: (...args) => {
      calls.push('put');
      return records.put(...args);
    },
    delete: (key) => {
      calls.push('delete');
      return records.delete(key);
    },
    list: (...args) => records.list(...args),
  };
  function replica(
    options: Partial<ReviewSharing> & { cluster?: string; tokenMs?: number; aheadMs?: number } = {},
  ) {
    const { aheadMs = 0, ...rest } = options;
    const asked: string[] = [];
    const shared = new SharedReviews({
      records: noted,
      keys: () => keys,
      failed: unheard,
      cluster: 'app.ci',
      tokenMs,
      places: new LoginPlaces({ maxRunning: 64, maxWaiting: 10_000, maxWaitMs: 60_000 }),
      now: () => clock.now + aheadMs,
      patienceMs: 60_000,
      ...rest,
    });
    async function review(shown: string, isKnown = false, answer = () => Promise.resolve(known.get(shown))) {
      const ask = () => {
        asked.push(shown);
        return answer();
      };
      const reviewed = await shared.reviewed(shown, ask, { isKnown });
      await shared.settled();
      return reviewed;
    }
    return { review, asked, shared };
  }
  const stored = async () => {
    const found: string[] = [];
    for await (const { key } of records.list('v1/')) found.push(key);
    return found;
  };
  /** What lies there for the token, replaced by what the change makes of it. */
  async function tamper(change: (bytes: Uint8Array) => Uint8Array) {
    const [key = ''] = await stored();
    const found = await records.get(key);
    await records.put(key, change(found?.bytes ?? new Uint8Array()));
  }
  return { replica, records, clock, known, calls, stored, tamper };
}

test('what one replica was answered, another one knows, for what is left of its time', async (t) => {
  const { replica, clock } = replicas();
  const [first, second] = [replica(), replica()];
  t.same(await first.review(token), { subject: alice, leftMs: tokenMs });
  clock.now += 50_000;
  t.same(await second.review(token), { subject: alice, leftMs: 70_000, isShared: true });
  t.same(second.asked, []);
  clock.now += 69_999;
  t.match(await second.review(token), { leftMs: 1 });
  clock.now += 1;
  t.match(await second.review(token), { leftMs: tokenMs, isShared: undefined });
  t.same(second.asked, [token]);
});

test('replicas that start together ask once', async (t) => {
  const { replica } = replicas();
  const all = [1, 2, 3, 4, 5].map(() => replica());
  const answers = await Promise.all(all.map(({ review }) => review(token)));
  t.ok(answers.every(({ subject }) => subject?.name === 'alice'));
  t.equal(all.flatMap(({ asked }) => asked).length, 1);
});

test('a token is remembered at another replica no longer than it is good', async (t) => {
  const { replica, clock, known } = replicas();
  const bound = jwt({ iss: 'https://kubernetes.default.svc', exp: clock.now / 1000 + 10 });
  known.set(bound, alice);
  await replica().review(bound);
  clock.now += 4_000;
  t.match(await replica().review(bound), { leftMs: 6_000, isShared: true });
  clock.now += 6_000;
  const late = replica();
  await late.review(bound);
  t.same(late.asked, [bound]);
});

test('the shortest of both settings of tokenMs counts', async (t) => {
  const { replica, clock } = replicas();
  await replica().review(token);
  clock.now += 20_000;
  t.match(await replica({ tokenMs: 30_000 }).review(token), { leftMs: 10_000, isShared: true });
  clock.now += 10_000;
  t.match(await replica({ tokenMs: 30_000 }).review(token), { leftMs: 30_000 });
  clock.now += 1_000;
  t.match(await replica().review(token), { leftMs: 29_000, isShared: true });
});

test('a record that was forged, changed, cut or moved is no yes, and is replaced', async (t) => {
  const accepted = (now: number): AcceptedReview => ({
    subject: alice,
    reviewedAtMs: now,
    validUntilMs: now + tokenMs,
  });
  const forgeries: readonly [name: string, change: (bytes: Uint8Array, now: number) => Uint8Array][] = [
    ['empty', () => new Uint8Array()],
    ['cut', (bytes) => bytes.subarray(0, -1)],
    ['a nonce and a tag alone', (bytes) => bytes.subarray(0, 28)],
    ['one bit changed', (bytes) => bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte))],
    ['not sealed', (_, now) => Buffer.from(JSON.stringify(accepted(now)))],
    ['random', () => randomBytes(300)],
    ['of another cluster', (_, now) => sealedReview(accepted(now), reviewSlot(secret, 'build01', token))],
    ['of another token', (_, now) => sealedReview(accepted(now), reviewSlot(secret, 'app.ci', other))],
    [
      'of an older key',
      (_, now) =>
        sealedReview(accepted(now), {
          key: reviewSlot(secret, 'app.ci', token).key,
          sealingKey: reviewSlot(randomBytes(32), 'app.ci', token).sealingKey,
        }),
    ],
    [
      'with a subject of another cluster',
      (_, now) =>
        sealedReview(
          { ...accepted(now), subject: { ...alice, cluster: 'build01' } },
          reviewSlot(secret, 'app.ci', token),
        ),
    ],
    [
      'from the future',
      (_, now) => sealedReview(accepted(now + 10_001), reviewSlot(secret, 'app.ci', token)),
    ],
    [
      'with a time that is longer than ours',
      (_, now) =>
        sealedReview(
          { ...accepted(now - tokenMs), validUntilMs: now + 3_600_000 },
          reviewSlot(secret, 'app.ci', token),
        ),
    ],
  ];
  for (const [name, change] of forgeries) {
    const { replica, tamper, clock, known } = replicas();
    await replica().review(token);
    await tamper((bytes) => change(bytes, clock.now));
    known.clear();
    const second = replica();
    t.same(await second.review(token), {}, name);
    t.same(second.asked, [token], name);
    known.set(token, alice);
    await second.review(token);
    t.match(await replica().review(token), { isShared: true }, `${name}: written anew`);
  }
});

test('records say nothing without the key: no token, no name, and not whether a token is there', async (t) => {
  const { replica, records, stored } = replicas();
  await replica().review(token);
  const [key = ''] = await stored();
  t.match(key, /^v1\/secrets\/reviews\/[0-9a-f]{64}$/);
  t.equal(key, reviewSlot(secret, 'app.ci', token).key);
  t.not(key, reviewSlot(randomBytes(32), 'app.ci', token).key);
  const text = Buffer.from((await records.get(key))?.bytes ?? []).toString('latin1');
  t.notMatch(text, /alice|sha256|app\.ci|subject/);
});

test('replicas that sign with different keys, and those of other clusters, share nothing', async (t) => {
  const { replica } = replicas();
  await replica().review(token);
  const random = randomTokenKeys();
  for (const options of [{ keys: () => random }, { cluster: 'build01' }]) {
    const { review, asked } = replica(options);
    await review(token);
    t.same(asked, [token]);
  }
});

test('a no is not shared, and leaves no record: each replica asks', async (t) => {
  const { replica, stored } = replicas();
  const all = [1, 2, 3].map(() => replica());
  t.same(await Promise.all(all.map(({ review }) => review(other))), [{}, {}, {}]);
  for (const { asked } of all) t.same(asked, [other]);
  t.same(await stored(), []);
});

test('a failure is not shared, and leaves no record', async (t) => {
  const { replica, stored } = replicas();
  const { review } = replica();
  await t.rejects(
    review(token, false, () => Promise.reject(new Error('down'))),
    { message: 'down' },
  );
  await until(() => true);
  t.same(await stored(), []);
  t.match(await replica().review(token), { subject: { name: 'alice' } });
});

test('1,000 guesses leave no record, and few of them reach the store', async (t) => {
  const { replica, calls, stored } = replicas();
  const { review, asked } = replica();
  const guesses = Array.from({ length: 1_000 }, () => `sha256~${randomBytes(32).toString('base64url')}`);
  t.ok(
    (await Promise.all(guesses.map((guess) => review(guess)))).every(({ subject }) => subject === undefined),
  );
  t.equal(asked.length, 1_000);
  t.same(await stored(), []);
  const puts = () => calls.filter((call) => call === 'put').length;
  t.ok(puts() < 200, `${puts()} claims`);
  const before = puts();
  for (const guess of guesses.slice(0, 20)) await review(guess);
  t.ok(puts() - before < 20, 'then one a second');
  await review(token);
  t.match(await replica().review(token), { isShared: true }, 'a yes is shared all the same');
});

test('what no cluster made, and what has expired, never reaches the store', async (t) => {
  const { replica, calls, clock, known } = replicas();
  const { review, asked } = replica();
  const strangers = ['password', 'a.b.c', 'sha256~short', jwt({ sub: 'x' })];
  strangers.push(jwt({ iss: 'https://kubernetes.default.svc', exp: clock.now / 1000 - 1 }));
  for (const stranger of strangers) {
    known.set(stranger, alice);
    await review(stranger);
  }
  t.same(asked, strangers);
  t.same(calls, []);
});

test('known tokens are looked up though guesses used up all looks', async (t) => {
  const { replica } = replicas();
  await replica().review(token);
  const { review, asked } = replica();
  for (let count = 0; count < 100; count += 1) await review(other);
  await review(token);
  t.equal(asked.at(-1), token, 'asked like a guess');
  t.match(await review(token, true), { isShared: true });
});

test('a store that hangs delays one login by its bound, and the next ones not at all', async (t) => {
  const { replica } = replicas();
  const heard: unknown[] = [];
  const never = () => new Promise<never>(() => undefined);
  const records = { get: never, put: never, delete: never, list: () => [] as never };
  const failed = (error: unknown) => heard.push(error);
  const { review, asked } = replica({ records, failed, patienceMs: 200 });
  const ownMs = createOwnWatch();
  t.match(await review(token), { subject: { name: 'alice' } });
  t.ok(ownMs() < 5_000);
  t.equal(heard.length, 1);
  for (let count = 0; count < 1_000; count += 1) await review(token);
  t.equal(heard.length, 1, 'which was told once');
  t.equal(asked.length, 1_001);
});

test('a store that fails, and keys that cannot be read, mean that the cluster is asked', async (t) => {
  const { replica } = replicas();
  const heard: unknown[] = [];
  const down = () => Promise.reject(new Error('down'));
  const records = { get: down, put: down, delete: down, list: () => [] as never };
  const failed = (error: unknown) => heard.push(error);
  t.match(await replica({ records, failed }).review(token), { subject: { name: 'alice' } });
  t.match(heard, [{ message: 'down' }]);
  const keyless = replica({ keys: () => Promise.reject(new Error('no keys')) });
  t.match(await keyless.review(token), { subject: { name: 'alice' } });
});

test('a replica that asks for too long delays the others by their bound, and one of them asks', async (t) => {
  const { replica, stored } = replicas();
  const { promise, resolve } = Promise.withResolvers<Subject | undefined>();
  const slow = replica();
  const early = slow.review(token, false, () => promise);
  await until(() => slow.asked.length === 1);
  const others = [1, 2, 3, 4].map(() => replica({ patienceMs: 1_000 }));
  const ownMs = createOwnWatch();
  const answers = await Promise.all(others.map(({ review }) => review(token)));
  t.ok(answers.every(({ subject }) => subject?.name === 'alice'));
  t.ok(ownMs() < 15_000);
  t.same(
    others.flatMap(({ asked }) => asked),
    [token],
    'one of them asks for all',
  );
  resolve(alice);
  await early;
  t.equal((await stored()).length, 1);
});

test('the claim of a replica that died counts no more after half a minute', async (t) => {
  const { replica, clock } = replicas();
  const dead = replica();
  void dead.review(token, false, () => new Promise<never>(() => undefined));
  await until(() => dead.asked.length === 1);
  clock.now += 30_000;
  const next = replica();
  t.match(await next.review(token), { subject: { name: 'alice' } });
  t.same(next.asked, [token]);
});

test('what was reviewed before is ignored after forget, and for 10 s what others review', async (t) => {
  const { replica, clock, known } = replicas();
  const [first, second] = [replica({ aheadMs: 9_000 }), replica()];
  await first.review(token);
  second.shared.forget();
  known.clear();
  t.same(await second.review(token), {});
  clock.now += 10_001;
  t.same(await second.review(token), {}, 'the clock of the other one is ahead');
  known.set(token, alice);
  await second.review(token);
  t.match(await replica().review(token), { isShared: true }, 'what is asked since then is shared');
  t.match(await second.review(token), { isShared: true });
});

test('old records are swept', async (t) => {
  const { replica, records, stored } = replicas();
  await replica().review(token);
  t.equal(await sweepReviews(records, 3_600_000), 0);
  t.equal(await sweepReviews(records, 3_600_000, { now: () => Date.now() + 3_600_001 }), 1);
  t.same(await stored(), []);
});
