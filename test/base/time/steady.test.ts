import { test } from 'tap';
import { steadied } from '../../../src/base/time/steady.ts';

test('a clock that is set back goes on from where it was', async (t) => {
  const times = [1_000, 1_500, 90_000, 500, 600, 100, 101];
  const now = steadied(() => times.shift() ?? 0);
  const seen = [...times].map(() => now());
  t.same(seen, [1_000, 1_500, 90_000, 90_000, 90_100, 90_100, 90_101]);
});
