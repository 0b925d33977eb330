import { test } from 'tap';
import { sleep } from '../../src/base/time/wait.ts';
import { Heartbeat } from '../../src/fleet/members/heartbeat.ts';
import { Members } from '../../src/fleet/members/members.ts';
import { SignsOfLife } from '../../src/fleet/protocol/signs-of-life.ts';
import { Vigil } from '../../src/fleet/protocol/vigil.ts';
import { createManualClock } from '../support/manual-clock.ts';

/** How long a question without a sign waits, when the member answers others at those times. */
async function diesAfter(answersAt: readonly number[], signedAt = Number.NaN): Promise<number | undefined> {
  const clock = createManualClock();
  const signs = new SignsOfLife(clock);
  const began = clock.now();
  let diedAt: number | undefined;
  const answeredAgoMs = (): number => signs.agoMs('member');
  using watch = new Vigil({ liveness: async () => 'asking', answeredAgoMs, clock }, () => {
    diedAt = clock.now() - began;
  });
  for (let ms = 0; ms < 10_000 && diedAt === undefined; ms += 100) {
    if (answersAt.includes(ms)) signs.proved('member');
    if (ms === signedAt) watch.sign();
    await clock.pass(100);
  }
  return diedAt;
}

test('a member that is silent in all questions is dead after 2 s', async (t) => {
  t.equal(await diesAfter([]), 2_000);
});

test('a busy member that answers others meanwhile has longer, up to 6 s', async (t) => {
  t.equal(await diesAfter([1_900]), 4_000, '2 s from then on');
  const often = Array.from({ length: 100 }, (_, index) => index * 100);
  t.equal(await diesAfter(often), 6_000, 'this question hangs');
  t.equal(await diesAfter(often, 5_000), undefined);
});

test('a ping that a busy member leaves unanswered says nothing while others are answered', async (t) => {
  for (const [isAnswering, live] of [
    [true, ['other', 'self']],
    [false, ['self']],
  ] as const) {
    const members = new Members({ self: 'self', clock: createManualClock() });
    members.listed(['self', 'other']);
    const ping = async () => undefined;
    await new Heartbeat({ members, ping, isAnswering: () => isAnswering, instance: 'one' }).once();
    t.same(members.live, live);
  }
});

test('bytes that waited for a slow reader, and what anyone may say, keep no dead member alive', async (t) => {
  const clock = createManualClock();
  const signs = new SignsOfLife(clock);
  signs.came('stranger');
  t.equal(signs.agoMs('stranger'), Number.POSITIVE_INFINITY);
  signs.proved('member');
  for (let ms = 0; ms < 20_000; ms += 100) {
    await clock.pass(100);
    signs.came('member');
  }
  t.equal(signs.agoMs('member'), 16_000, 'they count for 4 s after its last proof');
  signs.proved('member');
  await clock.pass(3_000);
  signs.came('member');
  t.equal(signs.agoMs('member'), 0);
});

test('a busy member that leaves pings unanswered brings a byte within 6 s, or is left', async (t) => {
  for (const [pingMs, diesAt] of [
    [0, 4_000],
    [2_000, 6_000],
  ] as const) {
    const clock = createManualClock();
    const began = clock.now();
    const liveness = async () => {
      await sleep(pingMs, undefined, clock);
      return 'idle' as const;
    };
    let diedAt: number | undefined;
    using watch = new Vigil({ liveness, clock }, () => {
      diedAt = clock.now() - began;
    });
    watch.sign();
    for (let ms = 0; ms < 20_000; ms += 100) await clock.pass(100);
    t.equal(diedAt, diesAt);
  }
});
