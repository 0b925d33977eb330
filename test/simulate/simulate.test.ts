import { test } from 'tap';
import { MB, pulled } from './rig.ts';

const app = { name: 'app', blobs: { config: 2_000, base: 30 * MB, own: 10 * MB } };

test('an image is downloaded once, by whichever replica is asked', async (t) => {
  const pulls = [1, 100, 200, 300].map((at) => [at, `node-${at}`, 'app'] as const);
  for (const replicas of [1, 3]) {
    const { tally } = await pulled([app], pulls, { fleet: { replicas } });
    t.equal(tally.link.total, 40 * MB + 3_000, `${replicas} replicas`);
    t.equal(tally.reads, 16);
    t.equal(tally.misses, 4);
    t.equal(tally.failed, 0);
  }
});

test('a node does not pull what it has, until it is another node', async (t) => {
  const pulls = [
    [0, 'node', 'app'],
    [60, 'node', 'app'],
    [7_200, 'node', 'app'],
  ] as const;
  const kept = await pulled([app], pulls);
  t.equal(kept.tally.reads, 4 + 1 + 1);
  const renewed = await pulled([app], pulls, { site: { nodeLivesMs: 3_600_000 } });
  t.equal(renewed.tally.reads, 4 + 1 + 4);
  const small = await pulled([app], pulls, { site: { nodeBytes: 35 * MB } });
  t.equal(small.tally.reads, 4 + 3 + 2, 'of config and base is room after the second, but not of own');
});

test('clients that come while a blob is downloaded wait for that download', async (t) => {
  const site = { linkBytesPerSecond: 10 * MB, streamBytesPerSecond: 10 * MB };
  const pulls = [0, 1, 2].map((at) => [at, `node-${at}`, 'app'] as const);
  const { tally } = await pulled([app], pulls, { site });
  t.equal(Math.round(tally.link.total), 40 * MB + 3_000);
  t.equal(tally.hits.get('joined'), 4, 'two layers for each of two nodes');
  t.equal(Math.round(tally.link.peak / MB), 10);
  const slowest = tally.pullMs.atPercentile(100);
  t.ok(slowest > 4_000 && slowest < 4_500, `40 MB at 10 MB/s: ${slowest} ms`);
});

test('a tag is asked about by its age: fresh, behind the answer, before it', async (t) => {
  const asked = async (seconds: number) => {
    const pulls = [
      [0, 'a', 'app'],
      [seconds, 'a', 'app'],
    ] as const;
    const { tally } = await pulled([app], pulls);
    return [tally.upstreamRequests.total - 4, tally.revalidations];
  };
  t.same(await asked(30), [0, 0]);
  t.same(await asked(45), [1, 1]);
  t.same(await asked(90), [1, 1]);
});

test('the owner of a tag is asked by the others, and believed by its age', async (t) => {
  const pulls = Array.from({ length: 40 }, (_, index) => [index * 10, 'node', 'app'] as const);
  const { tally } = await pulled([app], pulls, { fleet: { replicas: 4 } });
  t.ok(tally.revalidations <= 400 / 30, `${tally.revalidations} questions in 400 s for all four`);
});

test('what is least recently used gives way, down to the lower mark, and is downloaded again', async (t) => {
  const images = ['one', 'two', 'three'].map((name) => ({ name, blobs: { [`${name} layer`]: 40 * MB } }));
  const hour = 3_600;
  const pulls = [
    [0, 'a', 'one'],
    [hour, 'a', 'two'],
    [2 * hour, 'b', 'one'],
    [3 * hour, 'a', 'three'],
    [4 * hour, 'c', 'one'],
    [5 * hour, 'd', 'two'],
    [5 * hour + 600, 'd', 'two'],
  ] as const;
  // 120 MB are above 90 % of 130 MB, and two images below 80 %: `two` goes first, then `three`.
  const { tally, storedBytes } = await pulled(images, pulls, { fleet: { mediumBytes: 130 * MB } });
  t.equal(tally.evicted, 4, 'twice a layer with its manifest');
  t.equal(tally.refetchedBytes, 40 * MB + 1_000);
  t.equal(tally.misses, 8);
  t.equal(storedBytes, 80 * MB + 2_000);
});

test('content younger than the grace time stays, whatever the store holds', async (t) => {
  const images = ['one', 'two', 'three'].map((name) => ({ name, blobs: { [`${name} layer`]: 40 * MB } }));
  const pulls = images.map(({ name }, index) => [index * 300, 'a', name] as const);
  const { tally } = await pulled(images, pulls, { fleet: { mediumBytes: 100 * MB } });
  t.equal(tally.evicted, 0);
  t.equal(tally.mostStoredBytes, 120 * MB + 3_000);
});

test('the budget of the upstream is shared by the replicas, and spaces requests', async (t) => {
  const images = Array.from({ length: 30 }, (_, index) => ({
    name: `image-${index}`,
    blobs: { [`layer-${index}`]: MB },
  }));
  const pulls = images.map(({ name }, index) => [1, `node-${index}`, name] as const);
  const upstream = {
    name: 'quay.io',
    maxConcurrent: 64,
    maxQueued: 1_000,
    retries: 3,
    requestsPerSecond: 10,
  };
  const { tally } = await pulled(images, pulls, { fleet: { upstream } });
  t.equal(tally.upstreamRequests.total, 60);
  t.ok(tally.upstreamRequests.peak <= 20, 'after a burst of a second');
  t.ok(tally.pullMs.atPercentile(100) > 4_500, 'the last of 60 requests waits for 5 s');
});

test('an upstream that throttles is paused for, and clients come again', async (t) => {
  const images = Array.from({ length: 30 }, (_, index) => ({
    name: `image-${index}`,
    blobs: { [`layer-${index}`]: MB },
  }));
  const pulls = images.map(({ name }, index) => [1, `node-${index}`, name] as const);
  const { tally } = await pulled(images, pulls, { site: { upstreamAllows: 10, retryAfterSeconds: 2 } });
  t.ok(tally.throttled > 0);
  t.equal(tally.link.total, 30 * (MB + 1_000));
  t.equal(tally.failed, 0);
});

test('nothing counts before the end of the warm-up', async (t) => {
  const pulls = [
    [0, 'a', 'app'],
    [600, 'b', 'app'],
  ] as const;
  const { tally, countedMs } = await pulled([app], pulls, { time: { warmUpMs: 300_000 } });
  t.equal(tally.pulls, 1);
  t.equal(tally.misses, 0);
  t.equal(countedMs, 300_000);
});
