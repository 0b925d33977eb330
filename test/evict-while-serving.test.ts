import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import { type Test, test } from 'tap';
import { createEvictor } from '../src/cache/eviction/evictor.ts';
import { createCacheContext } from '../src/cache/registry/context.ts';
import { createCachedRegistry } from '../src/cache/registry/registry.ts';
import { load } from '../src/config/load.ts';
import type { ByteRange, Bytes } from '../src/oci/content.ts';
import { parseRepository, parseTag } from '../src/oci/reference.ts';
import { createBufferPool } from '../src/store/buffers.ts';
import { createFilesystemStore } from '../src/store/filesystem/filesystem-store.ts';
import { createS3Store } from '../src/store/s3/s3-store.ts';
import type { Store } from '../src/store/store.ts';
import { createMetrics } from '../src/telemetry/metrics/metrics.ts';
import { createUpstream } from '../src/upstream/client/client.ts';
import { type Random, seeded } from './chaos/random.ts';
import { readAll } from './support/bodies.ts';
import { createManualClock } from './support/manual-clock.ts';
import { registryDouble } from './support/registry-double.ts';
import { s3Double } from './support/s3-double.ts';

const repository = parseRepository('openshift/ci');
const tags = Array.from({ length: 8 }, (_, index) => `app-${index}`);
const layers = [3_000, 60_000, 300_000];
/** Two images of eight. */
const maxBytes = 800_000;

/** Nothing here is about a slow S3, which a busy machine looks like. */
const patient = { firstByteTimeoutMs: 60_000, stallMs: 60_000, leastBytesPerSecond: 0 };

/** A store's maker; what it needs ends with the test. */
type MadeStore = (t: Test) => Promise<Store>;

const stores: readonly (readonly [kind: string, made: MadeStore])[] = [
  ['files', async (t) => createFilesystemStore({ path: join(t.testdir(), 'store') })],
  [
    'S3',
    async (t) => {
      const s3 = await s3Double();
      t.teardown(s3.close);
      const directory = t.testdir({ id: 'id', secret: 'secret' });
      const [accessKeyIdFile, secretAccessKeyFile] = [join(directory, 'id'), join(directory, 'secret')];
      const server = { bucket: 'b', endpoint: s3.endpoint, pathStyle: true };
      return createS3Store({ ...server, ...patient, accessKeyIdFile, secretAccessKeyFile });
    },
  ],
];

/**
 * A cache that keeps nothing in memory, with an evictor that spares only what is in use at this
 * moment.
 */
async function rigOver(t: Test, store: Store) {
  const double = await registryDouble();
  const images = new Map(tags.map((tag) => [tag, double.addImage(repository, tag, { layers })]));
  const { events } = createMetrics();
  const cache = createCacheContext({
    store,
    spool: { path: join(t.testdirName, 'spool'), maxBytes: 1e9 },
    memory: { maxBytes: 1, maxEntryBytes: 1 },
    buffers: createBufferPool(),
    events,
    // Nor about a client's patience.
    clock: createManualClock(),
  });
  const upstream = createUpstream({ name: 'quay.io', url: double.url, allowPrivateAddresses: true });
  const absent = new LRUCache<string, string>({ max: 100, ttl: 1_000 });
  const registry = createCachedRegistry({ ...cache, upstream, policy: load('', {}).tags, absent });
  const eviction = createEvictor({
    store,
    usage: { ...cache.usage, isRecent: () => false },
    instance: cache.instance,
    isInUse: cache.isInUse,
    deleted: registry.forget,
    maxBytes,
    graceMs: 0,
    clock: () => Date.now() + 3_600_000,
  });
  t.teardown(async () => {
    await eviction.close();
    await cache.fills.settled();
    await registry.settled();
    await cache.close();
    await upstream.close();
    await double.close();
  });
  return { double, images, registry, eviction, cache };
}

type Rig = Awaited<ReturnType<typeof rigOver>>;

/** Pulls an image as clients do, some slowly, some in parts; resolves to what was wrong with it. */
async function pulled({ registry, images }: Rig, random: Random): Promise<readonly string[]> {
  const tag = random.pick(tags);
  const image = images.get(tag);
  if (image === undefined) throw new Error('no such image');
  const found = await registry.manifests.resolve(repository, { tag: parseTag(tag) });
  const wrong = image.manifest.equals(found.bytes) ? [] : [`the manifest of ${tag}`];
  for (const { digest, bytes } of image.layers) {
    const blob = await registry.blobs.open(repository, digest);
    const range = random.isLucky(0.5) ? undefined : rangeWithin(random, bytes.length);
    const body = blob.read(range);
    const { bytes: got, error } = await readAll(random.isLucky(0.3) ? slowly(body) : body);
    const right = bytes.subarray(range?.start, range === undefined ? undefined : range.end + 1);
    if (error !== undefined || !right.equals(got)) wrong.push(`${digest} of ${tag}, ${blob.hit}: ${error}`);
  }
  return wrong;
}

function rangeWithin(random: Random, size: number): ByteRange {
  const start = random.below(size);
  return { start, end: start + random.below(size - start) };
}

async function* slowly(body: Bytes): Bytes {
  for await (const chunk of body) {
    yield chunk;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [kind, made] of stores) {
  test(`no pull fails or is wrong while everything is evicted all the time, from ${kind}`, async (t) => {
    const rig = await rigOver(t, await made(t));
    const random = seeded(1);
    let isOver = false;
    const evicting = (async () => {
      let evicted = 0;
      while (!isOver) evicted += (await rig.eviction.run()).evictions.length;
      return evicted;
    })();
    const clients = Array.from({ length: 8 }, async () => {
      const wrong: string[] = [];
      for (let pulls = 0; pulls < 6; pulls += 1) wrong.push(...(await pulled(rig, random)));
      return wrong;
    });
    const wrong = await Promise.all(clients).finally(() => {
      isOver = true;
    });
    t.same(wrong.flat(), []);
    t.ok((await evicting) > 20, 'and much was evicted meanwhile');
    await rig.cache.fills.settled();
    await rig.registry.settled();
    await rig.eviction.run();
    t.ok((await rig.eviction.run({ dryRun: true })).beforeBytes <= maxBytes, 'the store keeps to its size');
  });

  test(`what a slow client reads stays until it has read it, in ${kind}`, async (t) => {
    const store = await made(t);
    const rig = await rigOver(t, store);
    const image = rig.images.get('app-0');
    const layer = image?.layers[2];
    if (layer === undefined) throw new Error('no such layer');
    const filling = await rig.registry.blobs.open(repository, layer.digest);
    await readAll(filling.read());
    await rig.cache.fills.settled();
    const reading = (await rig.registry.blobs.open(repository, layer.digest)).read()[Symbol.asyncIterator]();
    const first = await reading.next();
    const seen = [Buffer.copyBytesFrom(first.value ?? Buffer.alloc(0))];
    for (const tag of tags.slice(1)) {
      for (const { digest } of rig.images.get(tag)?.layers ?? [])
        await readAll((await rig.registry.blobs.open(repository, digest)).read());
    }
    await rig.cache.fills.settled();
    rig.double.switches.down = true;
    t.ok((await rig.eviction.run()).evictions.length > 0);
    t.ok(await store.blobs.stat(layer.digest), 'all around it went, it stayed');
    for (let next = await reading.next(); next.done !== true; next = await reading.next())
      seen.push(Buffer.copyBytesFrom(next.value));
    t.ok(Buffer.concat(seen).equals(layer.bytes));
  });
}
