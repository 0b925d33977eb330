import { test } from 'tap';
import { sized } from '../support/sized.ts';
import { played } from './model.ts';

/** Random faults between simulated members, by a seed: each run is the same as the last one. */
test('whatever members suffer, no client gets a wrong byte and each pull ends whole', async (t) => {
  for (let seed = 1; seed <= sized(20, 10_000); seed += 1) {
    const faults = await played(t.testdir(), seed);
    if (faults.length > 0) t.fail(`seed ${seed}: ${faults}`);
  }
});
