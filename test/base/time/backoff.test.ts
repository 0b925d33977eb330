import { test } from 'tap';
import { type BackoffOptions, backoffMs } from '../../../src/base/time/backoff.ts';

function first(count: number, options: BackoffOptions): number[] {
  return Array.from({ length: count }, (_, failures) => backoffMs(failures, options));
}

test('each pause is twice as long as the one before, up to the longest', (t) => {
  t.same(first(5, { firstMs: 1_000, longestMs: 5_000 }), [1_000, 2_000, 4_000, 5_000, 5_000]);
  t.equal(backoffMs(5_000, { firstMs: 1_000, longestMs: 1_000_000 }), 1_000_000);
  t.end();
});

test('another factor makes another sequence, which has no end without a longest pause', (t) => {
  t.same(first(4, { firstMs: 1_000, factor: 4 }), [1_000, 4_000, 16_000, 64_000]);
  t.same(first(3, { firstMs: 500, factor: 1.5 }), [500, 750, 1_125]);
  t.end();
});

test('the part that is left to chance is between nothing and all of the jitter', (t) => {
  const options = { firstMs: 1_000, longestMs: 2_000 };
  t.same(first(3, { ...options, jitter: 1, random: () => 0 }), [0, 0, 0]);
  t.same(first(3, { ...options, jitter: 1, random: () => 0.5 }), [500, 1_000, 1_000]);
  t.same(first(3, { ...options, jitter: 0.5, random: () => 0 }), [500, 1_000, 1_000]);
  t.same(first(3, { ...options, jitter: 0.25, random: () => 0 }), [750, 1_500, 1_500]);
  t.same(first(3, { ...options, jitter: 0.25, random: () => 1 }), [1_000, 2_000, 2_000]);
  t.end();
});
