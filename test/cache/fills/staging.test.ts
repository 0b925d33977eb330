import { test } from 'tap';
import { createStaging } from '../../../src/cache/fills/staging.ts';
import { randomContent } from '../../support/bodies.ts';

const { bytes } = randomContent(1_500_000);

test('it takes no more than one half holds until that half is given out', (t) => {
  const latest = createStaging();
  const taken = latest.take(bytes);
  t.ok(taken < bytes.byteLength);
  t.equal(latest.take(bytes.subarray(taken)), 0);
  t.ok(latest.turn()?.every((byte, index) => byte === bytes[index]));
  t.equal(latest.take(bytes.subarray(taken, taken + 10)), 10);
  t.equal(latest.length, taken + 10);
  t.end();
});

test('nothing is given out twice, and nothing when there is nothing', (t) => {
  const latest = createStaging();
  t.equal(latest.turn(), undefined);
  latest.take(bytes.subarray(0, 100));
  t.equal(latest.turn()?.byteLength, 100);
  t.equal(latest.turn(), undefined);
  t.end();
});

test('what is being written, and what was written last, can still be read', (t) => {
  const latest = createStaging();
  const target = Buffer.alloc(60);
  latest.take(bytes.subarray(0, 100));
  latest.turn();
  latest.take(bytes.subarray(100, 200));
  t.equal(latest.copy(50, target), 50, 'up to the end of its half');
  t.same(target.subarray(0, 50), bytes.subarray(50, 100));
  t.equal(latest.copy(100, target), 60);
  t.same(target, bytes.subarray(100, 160));
  t.equal(latest.copy(200, target), 0, 'has not come yet');
  latest.turn();
  t.equal(latest.copy(99, target), 0, 'is on the disk by now');
  t.equal(latest.copy(190, target), 10);
  t.end();
});
