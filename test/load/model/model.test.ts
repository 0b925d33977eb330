import { test } from 'tap';
import { modelImages, parseImageList } from '../../../src/load/model/images.ts';
import { modelArrivals } from '../../../src/load/model/model-arrivals.ts';
import { createRandom, zipfDraw } from '../../../src/load/model/random.ts';
import { parseSize, parseSizes, publishedSizes, sizeAt } from '../../../src/load/model/sizes.ts';
import type { Arrival, Arrivals } from '../../../src/load/work.ts';

async function until(arrivals: Arrivals, endMs: number): Promise<Arrival[]> {
  const found: Arrival[] = [];
  for await (const arrival of arrivals) {
    if (arrival.atMs > endMs) break;
    found.push(arrival);
  }
  return found;
}

const images = parseImageList('team/a:v1\nteam/b # the second\n\n');
const model = { ratePerSecond: 100, spacing: 'poisson', nodes: 5, zipf: 1, seed: 7 } as const;

test("images are wanted by Zipf's law", async (t) => {
  const draw = zipfDraw(100, 1, createRandom(1));
  const counts = new Map<number, number>();
  for (let draws = 0; draws < 20_000; draws += 1) {
    const rank = draw();
    counts.set(rank, (counts.get(rank) ?? 0) + 1);
  }
  const share = (rank: number) => (counts.get(rank) ?? 0) / 20_000;
  t.ok(Math.abs(share(0) - 0.193) < 0.02, `the first has ${share(0)}`);
  t.ok(Math.abs(share(9) - 0.0193) < 0.006, `the tenth has ${share(9)}`);
  t.ok([...counts.keys()].every((rank) => rank >= 0 && rank < 100));
});

test('sizes follow the published percentiles', async (t) => {
  const points = parseSizes(publishedSizes);
  t.same(
    [0, 0.65, 0.8, 1].map((fraction) => sizeAt(points, fraction)),
    [1e3, 1e6, 10e6, 100e6],
  );
  t.equal(sizeAt(parseSizes('10MB'), 0.3), 10e6);
  t.equal(parseSize('64KiB'), 65_536);
  t.throws(() => parseSizes('p0=1MB,p50=1kB,p100=2MB'), /must rise from p0 to p100/);
  t.throws(() => parseSize('10 apples'), /must be a size such as/);
});

test('the same model gives the same images, and families share their first layers', async (t) => {
  const wanted = {
    count: 8,
    layers: [5, 5],
    sizes: parseSizes('p0=1kB,p100=9kB'),
    sharedShare: 0.4,
    familySize: 4,
    seed: 1,
    prefix: 'load',
  } as const;
  const [first, second, , , fifth] = modelImages(wanted);
  t.same(modelImages(wanted)[0], first);
  t.equal(first?.repository, 'load/image-0');
  t.same(first?.layers.slice(0, 2), second?.layers.slice(0, 2));
  t.not(first?.layers[2]?.seed, second?.layers[2]?.seed);
  t.not(first?.layers[0]?.seed, fifth?.layers[0]?.seed);
});

test('pulls come at the rate, at random or evenly', async (t) => {
  const random = await until(modelArrivals(images, model), 10_000);
  t.ok(Math.abs(random.length - 1_000) < 100, `${random.length} arrivals`);
  t.same(new Set(random.map(({ node }) => node)).size, 5);
  t.same(random.slice(0, 5), (await until(modelArrivals(images, model), 10_000)).slice(0, 5));
  const even = await until(modelArrivals(images, { ...model, spacing: 'even' }), 45);
  t.same(
    even.map(({ atMs }) => atMs),
    [10, 20, 30, 40],
  );
});

test('a herd is all nodes at one time, and tags move beside the pulls', async (t) => {
  const herds = await until(
    modelArrivals(images, { ...model, ratePerSecond: 0, herdEveryMs: 500, movesEveryMs: 900 }),
    1_000,
  );
  t.same(
    herds.map(({ atMs, work }) => `${atMs} ${work.kind}`),
    [...Array(5).fill('500 pull'), '900 move', ...Array(5).fill('1000 pull')],
  );
});

test('lazy pulls ask for ranges', async (t) => {
  const [first] = await until(modelArrivals(images, { ...model, ranges: { count: 3, bytes: 1000 } }), 1_000);
  t.match(first?.work, { kind: 'lazy', ranges: 3, rangeBytes: 1000 });
});
