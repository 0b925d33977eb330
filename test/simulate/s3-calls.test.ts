import { test } from 'tap';
import { MB, pulled } from './rig.ts';

/** As in `test/s3-calls.test.ts`, where the calls of the service itself are counted. */
const layers = Object.fromEntries(
  Array.from({ length: 8 }, (_, index) => [`layer-${index}`, 150_000 + index]),
);
const image = { name: 'app', blobs: { config: 2_000, ...layers } };
const s3 = { medium: 's3' } as const;
const pulls = (count: number) =>
  Array.from({ length: count }, (_, index) => [index * 5, `n${index}`, 'app'] as const);
/** Each replica looks for orders to forget every 10 s, and never at its total. */
const quiet = { fleet: { ...s3, eviction: { highPercent: 90, lowPercent: 80, graceMs: 0, everyMs: 1e12 } } };

async function calls(count: number) {
  const { tally } = await pulled([image], pulls(count), quiet);
  const seconds = (count - 1) * 5 + 60;
  return { reads: tally.s3Reads.total - Math.round(seconds / 10), writes: tally.s3Writes.total };
}

test('a cold image of nine blobs is 23 calls, and a warm one 8', async (t) => {
  const cold = await calls(1);
  const warm = await calls(2);
  t.ok(Math.abs(cold.reads - 11) <= 1, `${cold.reads} reads`);
  t.ok(cold.writes - 12 <= 1, `${cold.writes} writes, of which one may be of uses`);
  t.ok(Math.abs(warm.reads - cold.reads - 8) <= 2, `${warm.reads - cold.reads} reads more`);
});

test('a disk before the bucket takes the reads away, until it is too small', async (t) => {
  const large = { name: 'large', blobs: { config: 2_000, layer: 40 * MB } };
  const all = [0, 10, 20, 30].map((at) => [at, `n${at}`, 'large'] as const);
  const reads = async (diskBytes: number | undefined) => {
    const { tally } = await pulled([large], all, { fleet: { ...quiet.fleet, diskBytes } });
    return tally.s3Reads.total;
  };
  const [none, fits, small] = [await reads(undefined), await reads(100 * MB), await reads(10 * MB)];
  // A config is read once in either case, and then in memory.
  t.equal(none - fits, 4, 'the layer three times, the config once');
  t.equal(small, none, 'what is larger than the disk takes all others with it');
});
