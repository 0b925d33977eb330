import { test } from 'tap';
import { createWritable } from '../../../src/cache/registry/writable.ts';

test('a store is asked once for all who ask, and a no is believed for longer than a yes', async (t) => {
  const state = { now: 0, isUsable: true, asked: 0 };
  const isWritable = createWritable({
    isUsable: async () => {
      state.asked += 1;
      return state.isUsable;
    },
    now: () => state.now,
  });
  t.same(await Promise.all([isWritable(), isWritable()]), [true, true]);
  state.isUsable = false;
  t.equal(await isWritable(), true);
  t.equal(state.asked, 1);
  state.now += 5_000;
  t.equal(await isWritable(), false);
  state.isUsable = true;
  state.now += 60_000;
  t.equal(await isWritable(), false, 'other replicas may still have records to write');
  state.now += 10_000;
  t.equal(await isWritable(), true);
  t.equal(state.asked, 3);
});
