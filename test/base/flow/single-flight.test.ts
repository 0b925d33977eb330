import { test } from 'tap';
import { createSingleFlight, shared } from '../../../src/base/flow/single-flight.ts';

test('one call serves all who ask under its key while it is under way', async (t) => {
  const flight = createSingleFlight<number>();
  let calls = 0;
  const call = async (): Promise<number> => {
    calls += 1;
    return calls;
  };
  t.same(await Promise.all([flight('a', call), flight('a', call), flight('b', call)]), [1, 1, 2]);
  t.equal(await flight('a', call), 3, 'what has ended is asked again');
});

test('a failure goes to all who wait, and is forgotten', async (t) => {
  const flight = createSingleFlight<string>();
  const broken = () => Promise.reject(new Error('broken'));
  const both = await Promise.allSettled([flight('a', broken), flight('a', broken)]);
  t.match(both, [{ reason: { message: 'broken' } }, { reason: { message: 'broken' } }]);
  t.equal(await flight('a', async () => 'well'), 'well');
});

test('a shared call is made once at a time', async (t) => {
  let calls = 0;
  const ask = shared(async () => {
    calls += 1;
    return calls;
  });
  t.same(await Promise.all([ask(), ask()]), [1, 1]);
  t.equal(await ask(), 2);
});
