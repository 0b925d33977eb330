import { test } from 'tap';
import { RunningTotal, summed } from '../../../src/cache/eviction/running-total.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { storeTotalKey } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { until } from '../../support/bodies.ts';
import { hourMs, image, layerBytes, missing, replica } from './eviction-fixture.ts';

const checkedAt = Date.UTC(2026, 10, 22);
const clock = () => checkedAt;

test('what a store holds is unknown until a walk, and then what replicas add and evict counts', async (t) => {
  const { records } = createMemoryStore();
  const [one, two] = [new RunningTotal({ records, clock }), new RunningTotal({ records, clock })];
  one.put(10);
  t.equal(await one.flush(), undefined);
  await one.walked({ blobs: 3, bytes: 30 });
  two.put(5);
  one.evicted(10);
  t.same(await two.flush(), { blobs: 4, bytes: 35, checkedAt });
  t.same(await one.flush(), { blobs: 3, bytes: 25, checkedAt });
  t.same(await two.flush(), { blobs: 3, bytes: 25, checkedAt });
});

test('a total that nothing changed is not written', async (t) => {
  const store = createMemoryStore();
  const total = new RunningTotal({ records: store.records, clock });
  await total.walked({ blobs: 1, bytes: 1 });
  const version = (await store.records.get(storeTotalKey))?.version;
  const quiet = new RunningTotal({
    records: { ...store.records, put: () => Promise.reject(new Error('it is written')) },
  });
  t.same(await quiet.flush(), { blobs: 1, bytes: 1, checkedAt });
  t.equal((await store.records.get(storeTotalKey))?.version, version);
});

test('replicas that add at the same time lose nothing', async (t) => {
  const { records } = createMemoryStore();
  const totals = [1, 2, 3].map(() => new RunningTotal({ records, clock }));
  await totals[0]?.walked({ blobs: 0, bytes: 0 });
  for (const total of totals) total.put(7);
  await Promise.all(totals.map((total) => total.flush()));
  t.match(await totals[0]?.flush(), { blobs: 3, bytes: 21 });
});

test('a record that is no total is as good as none', async (t) => {
  const { records } = createMemoryStore();
  await records.put(storeTotalKey, Buffer.from('{"blobs":-1}'));
  const total = new RunningTotal({ records, clock });
  t.equal(await total.flush(), undefined);
  await total.walked({ blobs: 1, bytes: 2 });
  t.match(await total.flush(), { blobs: 1, bytes: 2 });
});

test('a put counts once it is stored', async (t) => {
  const store = createMemoryStore();
  const total = new RunningTotal({ records: store.records, clock });
  await total.walked({ blobs: 0, bytes: 0 });
  const blobs = summed(store.blobs, total);
  const bytes = Buffer.from('a blob');
  await blobs.put({ digest: digestOf(bytes), size: bytes.byteLength }, bytesOf(bytes));
  await t.rejects(blobs.put({ digest: digestOf(bytes), size: 99 }, bytesOf(bytes)));
  t.match(await total.flush(), { blobs: 1, bytes: bytes.byteLength });
});

/** The store, and how often it was listed. */
function watched(store: Store) {
  let lists = 0;
  const list: typeof store.blobs.list = (options) => {
    lists += 1;
    return store.blobs.list(options);
  };
  return { store: { ...store, blobs: { ...store.blobs, list } }, lists: () => lists };
}

test('a store below its mark is walked once a day, whatever comes in', async (t) => {
  const { store, lists } = watched(createMemoryStore());
  await image(store, 'a');
  const measured: number[] = [];
  const noon = Date.now() + 24 * hourMs;
  let now = noon;
  const total = new RunningTotal({ records: store.records, clock: () => now });
  const one = replica(store, {
    total,
    everyMs: 1,
    clock: () => now,
    events: { measured: ({ bytes }) => measured.push(bytes) },
  });
  one.evict.start();
  await until(() => measured.length > 5);
  t.equal(lists(), 1);
  total.put(1_000);
  const [before = 0] = measured;
  await until(() => measured.at(-1) === before + 1_000);
  t.equal(lists(), 1);
  now = noon + 25 * hourMs;
  await until(() => lists() === 2);
  await until(() => measured.at(-1) === before);
  await one.close();
});

test('a store that grew above its mark is walked, and evicted down to the low one', async (t) => {
  const { store, lists } = watched(createMemoryStore());
  const total = new RunningTotal({ records: store.records });
  const images = [await image(store, 'a'), await image(store, 'b')];
  await total.walked({ blobs: 4, bytes: 2 * layerBytes });
  const one = replica(store, { total, everyMs: 1 });
  let runs = 0;
  const third = await image(store, 'c');
  total.put(layerBytes);
  const two = replica(store, { total, everyMs: 1, events: { ran: () => (runs += 1) } });
  two.evict.start();
  await until(() => runs > 0);
  await two.close();
  t.ok(lists() >= 2);
  const layers = [...images, third].map(({ layer }) => layer);
  t.equal(await missing(store, layers), 1);
  const after = await total.flush();
  t.ok((after?.bytes ?? 0) < 2.2 * layerBytes);
  await one.close();
});
