import { hashSync } from 'bcryptjs';
import { test } from 'tap';
import { createBcrypt } from '../../../src/auth/robots/bcrypt.ts';

test('comparisons leave this thread free', async (t) => {
  const check = createBcrypt();
  t.teardown(() => check.close());
  const hash = hashSync('right', 4);
  const slow = hashSync('right', 10);
  await check.matches('warm', hash);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  t.equal(await check.matches('right', slow), true);
  clearInterval(timer);
  t.ok(turns > 3, `${turns} turns of the event loop meanwhile`);
  t.equal(await check.matches('wrong', hash), false);
});

test('a flood of guesses is refused past a bound', async (t) => {
  const check = createBcrypt();
  t.teardown(() => check.close());
  const hash = hashSync('right', 4);
  const asked = await Promise.allSettled(Array.from({ length: 80 }, (_, i) => check.matches(`${i}`, hash)));
  const refused = asked.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  t.equal(refused.length, 80 - 64 - 1, 'one runs');
  t.match(refused[0], { code: 'TOOMANYREQUESTS' });
  t.equal(await check.matches('right', hash), true, 'and then it goes on');
});

test('closing ends what is under way', async (t) => {
  const check = createBcrypt();
  const asked = check.matches('right', hashSync('right', 4));
  const ended = t.rejects(asked, { code: 'UNAVAILABLE' });
  await check.close();
  await ended;
  await t.rejects(check.matches('a', 'b'), { code: 'UNAVAILABLE' });
});
