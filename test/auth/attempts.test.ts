import { setImmediate } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { type Attempts, type AttemptsOptions, createAttempts } from '../../src/auth/attempts.ts';
import { createManualClock } from '../support/manual-clock.ts';

const staying = new AbortController().signal;

/** Attempts under a clock that stands still until it is moved. */
function underClock(t: Test, options: AttemptsOptions = {}) {
  const clock = createManualClock();
  const slowed = createAttempts({ clock, ...options });
  t.teardown(() => slowed.close());
  return { slowed, pass: clock.pass };
}

async function isHeld(answer: Promise<void>): Promise<boolean> {
  return (await Promise.race([answer.then(() => 'out'), setImmediate('held')])) === 'held';
}

async function fail(slowed: Attempts, times: number, address = '192.0.2.1'): Promise<void> {
  for (let count = 0; count < times; count += 1) await slowed.failed(address, staying);
}

test('an address has failed once more failed than cost nothing, for a minute', async (t) => {
  const { slowed, pass } = underClock(t);
  await fail(slowed, 4);
  t.equal(slowed.hasFailed('192.0.2.1'), false);
  const held = slowed.failed('192.0.2.1', staying);
  t.equal(slowed.hasFailed('192.0.2.1'), true);
  t.equal(slowed.hasFailed('192.0.2.2'), false);
  const refused = slowed.refused('192.0.2.1', staying);
  await pass(999);
  t.ok(await isHeld(refused), 'and its 429 is held back for a second');
  await pass(1);
  await refused;
  await slowed.refused('192.0.2.2', staying);
  await pass(60_000);
  await held;
  t.equal(slowed.hasFailed('192.0.2.1'), false);
});

test('four failures in a minute cost nothing, then each is held longer, up to five seconds', async (t) => {
  const { slowed, pass } = underClock(t);
  await fail(slowed, 4);
  for (const ms of [1000, 2000, 4000, 5000, 5000]) {
    const answer = slowed.failed('192.0.2.1', staying);
    await pass(ms - 1);
    t.ok(await isHeld(answer), `held for ${ms} ms`);
    await pass(1);
    t.notOk(await isHeld(answer));
  }
});

test('a minute without a failure is forgiven', async (t) => {
  const { slowed, pass } = underClock(t);
  await fail(slowed, 4);
  await pass(60_000);
  t.notOk(await isHeld(slowed.failed('192.0.2.1', staying)));
});

test('addresses do not suffer for each other, and an IPv6 network is one', async (t) => {
  const { slowed } = underClock(t);
  await fail(slowed, 4, '2001:db8:0:1::1');
  t.notOk(await isHeld(slowed.failed('192.0.2.1', staying)));
  t.notOk(await isHeld(slowed.failed('2001:db8:0:2::1', staying)));
  t.notOk(await isHeld(slowed.failed('::1', staying)));
  t.ok(await isHeld(slowed.failed('2001:DB8::1:a:b:c:d', staying)));
});

test('fifty answers are held, the next is 429 at once', async (t) => {
  const { slowed, pass } = underClock(t);
  await fail(slowed, 4);
  const held = Array.from({ length: 50 }, () => slowed.failed('192.0.2.1', staying));
  await t.rejects(slowed.failed('192.0.2.1', staying), { code: 'TOOMANYREQUESTS', retryAfterSeconds: 5 });
  await pass(5000);
  await Promise.all(held);
  t.ok(await isHeld(slowed.failed('192.0.2.1', staying)), 'there is room again');
});

test('a client that leaves makes room at once, and may have left before', async (t) => {
  const { slowed } = underClock(t, { mostHeld: 1 });
  await fail(slowed, 4);
  const leaving = new AbortController();
  const answer = slowed.failed('192.0.2.1', leaving.signal);
  t.ok(await isHeld(answer));
  leaving.abort();
  await answer;
  t.notOk(await isHeld(slowed.failed('192.0.2.1', leaving.signal)));
  t.ok(await isHeld(slowed.failed('192.0.2.1', staying)));
});

test('closing lets everything go, and holds nothing after', async (t) => {
  const { slowed } = underClock(t);
  await fail(slowed, 4);
  const answer = slowed.failed('192.0.2.1', staying);
  t.ok(await isHeld(answer));
  slowed.close();
  await answer;
  t.notOk(await isHeld(slowed.failed('192.0.2.1', staying)));
});

test('the table of addresses has an end', async (t) => {
  const { slowed } = underClock(t, { mostAddresses: 2 });
  await fail(slowed, 4, '192.0.2.1');
  for (const address of ['192.0.2.2', '192.0.2.3']) await slowed.failed(address, staying);
  t.notOk(await isHeld(slowed.failed('192.0.2.1', staying)), 'the first one is forgotten');
});

test('a wrong token counts once a minute, however often it is shown', async (t) => {
  const { slowed } = underClock(t);
  for (let time = 0; time < 20; time += 1)
    for (const token of ['a', 'b', 'c', 'd']) await slowed.failed('192.0.2.1', staying, token);
  t.equal(slowed.hasFailed('192.0.2.1'), false);
  t.ok(await isHeld(slowed.failed('192.0.2.1', staying, 'e')), 'the fifth is another one');
  t.equal(slowed.hasFailed('192.0.2.1', 'token'), true);
  t.equal(slowed.hasFailed('192.0.2.1', 'password'), false);
});

test('each subject that logged in makes room for one wrong token more, for an hour', async (t) => {
  const { slowed, pass } = underClock(t);
  for (let number = 0; number < 30; number += 1) {
    slowed.succeeded('192.0.2.1', `subject ${number}`);
    slowed.succeeded('192.0.2.1', `subject ${number}`);
  }
  const show = async (count: number) => {
    for (let number = 0; number < count; number += 1)
      await slowed.failed('192.0.2.1', staying, `token ${number}`);
  };
  await show(34);
  t.equal(slowed.hasFailed('192.0.2.1'), false);
  t.ok(await isHeld(slowed.failed('192.0.2.1', staying, 'token 34')));
  await pass(3_600_000);
  await show(4);
  t.ok(await isHeld(slowed.failed('192.0.2.1', staying, 'token 4')));
});

test('no subject makes room for a wrong password', async (t) => {
  const { slowed } = underClock(t);
  for (let number = 0; number < 30; number += 1) slowed.succeeded('192.0.2.1', `subject ${number}`);
  await fail(slowed, 4);
  t.ok(await isHeld(slowed.failed('192.0.2.1', staying)));
  t.equal(slowed.hasFailed('192.0.2.1', 'token'), false);
});
