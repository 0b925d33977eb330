import { test } from 'tap';
import {
  confirmed,
  freshness,
  mayServeStale,
  moved,
  type TagPointer,
  type TagPolicy,
} from '../../../src/cache/records/freshness.ts';
import { digestOf } from '../../../src/oci/digest.ts';

const digest = (text: string) => digestOf(Buffer.from(text));
const pointer: TagPointer = { digest: digest('one'), mediaType: 'x', size: 1, checkedAt: 1_000 };
const policy: TagPolicy = {
  freshMs: 100,
  refreshBehindMs: 50,
  staleMs: 1_000,
  negativeMs: 10,
  immutable: [/^\d{14}_prune_/],
  gone: 'hide',
};

test('a tag is answered, then refreshed behind the answer, then asked about first', async (t) => {
  t.equal(freshness('a', pointer, policy, 1_100), 'answer');
  t.equal(freshness('a', pointer, policy, 1_101), 'answer-and-refresh');
  t.equal(freshness('a', pointer, policy, 1_150), 'answer-and-refresh');
  t.equal(freshness('a', pointer, policy, 1_151), 'ask');
});

test('a tag that never moves is never asked about', async (t) => {
  t.equal(freshness('20260101000000_prune_ocp_4.5_base', pointer, policy, 9_999_999), 'answer');
});

test('stale has an end', async (t) => {
  t.ok(mayServeStale(pointer, policy, 2_000));
  t.notOk(mayServeStale(pointer, policy, 2_001));
});

test('a confirmation makes it young again', async (t) => {
  t.same(confirmed(pointer, 5_000), { ...pointer, checkedAt: 5_000 });
});

test('a move keeps what the tag meant before, newest first and bounded', async (t) => {
  const second = moved(pointer, { ...pointer, digest: digest('two'), checkedAt: 2_000 }, 2);
  t.same(second.history, [{ digest: digest('one'), mediaType: 'x', from: 1_000, until: 2_000 }]);
  const third = moved(second, { ...pointer, digest: digest('three'), checkedAt: 3_000 }, 2);
  const fourth = moved(third, { ...pointer, digest: digest('four'), checkedAt: 4_000 }, 2);
  t.same(fourth.history, [
    { digest: digest('three'), mediaType: 'x', from: 3_000, until: 4_000 },
    { digest: digest('two'), mediaType: 'x', from: 2_000, until: 3_000 },
  ]);
});

test('the same digest again is no move', async (t) => {
  t.same(moved(pointer, { ...pointer, checkedAt: 2_000 }, 2).history, []);
});

test('a check whose time has not come yet is none, but for what clocks differ by', async (t) => {
  t.equal(freshness('a', { ...pointer, checkedAt: 86_400_000 }, policy, 1_000), 'ask');
  t.notOk(mayServeStale({ ...pointer, checkedAt: 86_400_000 }, policy, 1_000));
  t.equal(freshness('a', { ...pointer, checkedAt: 6_000 }, policy, 1_000), 'answer');
});
