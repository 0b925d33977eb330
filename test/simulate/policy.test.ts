import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createEvictor } from '../../src/cache/eviction/evictor.ts';
import { createUsage, UseNotes } from '../../src/cache/eviction/usage.ts';
import { Members } from '../../src/fleet/members/members.ts';
import { createRandom } from '../../src/load/model/random.ts';
import { bytesOf } from '../../src/oci/content.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { ContentTable, Owners } from '../../src/simulate/model/contents.ts';
import { VirtualClock } from '../../src/simulate/model/virtual-clock.ts';
import { SimulatedStore } from '../../src/simulate/replicas/stored.ts';
import { createBufferPool } from '../../src/store/buffers.ts';
import { KeptFiles } from '../../src/store/disk-tier/kept-files.ts';
import { UseOrder } from '../../src/store/disk-tier/use-order.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { fleet } from './rig.ts';

test('the simulated store evicts what the evictor evicts, in its order', async (t) => {
  for (const seed of [1, 2, 3]) {
    const random = createRandom(seed);
    const below = (most: number): number => Math.floor(random() * most);
    const contents = new ContentTable();
    const medium = new SimulatedStore(contents);
    const notes = new UseNotes<number>();
    const uses = new Map<number, number>();
    let now = Date.UTC(2026, 10, 1);
    const clock = (): number => now;
    const store = createMemoryStore();
    const storedAt = new Map<Digest, number>();
    const blobs = {
      ...store.blobs,
      async *list(...args: Parameters<typeof store.blobs.list>) {
        for await (const blob of store.blobs.list(...args))
          yield { ...blob, storedAt: storedAt.get(blob.digest) ?? 0 };
      },
    };
    const usage = createUsage({ records: store.records, instance: 'one', clock });
    const mediumBytes = 60_000;
    const marks = { ...fleet.eviction, graceMs: 1_200_000 };
    const evictor = createEvictor({
      ...{ store: { ...store, blobs }, usage, clock, instance: 'one', maxBytes: mediumBytes },
      ...marks,
    });
    const put = async (bytes: Buffer): Promise<number> => {
      const digest = digestOf(bytes);
      const id = contents.idOf(digest, bytes.byteLength);
      if (!medium.has(id)) {
        await store.blobs.put({ digest, size: bytes.byteLength }, bytesOf(bytes));
        storedAt.set(digest, now);
        medium.put(id, now);
      }
      touch(id);
      return id;
    };
    const touch = (id: number): void => {
      usage.touched(contents.digest(id));
      notes.touched(id);
    };
    const layers = Array.from({ length: 40 }, (_, index) =>
      Buffer.alloc(500 + below(4_000), `${seed} ${index}`),
    );
    let evictions = 0;
    for (let step = 0; step < 120; step += 1) {
      now += below(900_000);
      const used = [layers[below(40)], layers[below(40)]].flatMap((layer) => layer ?? []);
      const ids: number[] = [];
      for (const layer of used) ids.push(await put(layer));
      const manifest = await put(manifestOf(used, below(30)));
      contents.refer(manifest, ids);
      if (step % 4 !== 3) continue;
      const seconds = Math.floor(now / 1000) * 1000;
      for (const id of notes.absorbed(seconds)) uses.set(id, seconds);
      const lastUse = (id: number): number => uses.get(id) ?? 0;
      const settings = { mediumBytes, eviction: { ...marks, everyMs: 0 } };
      const predicted = medium.evicted(settings, { now, lastUse, isInUse: () => false });
      const { evictions: real } = await evictor.run();
      const digests = (predicted?.evicted ?? []).map(({ eviction }) => eviction.digest);
      // Manifests go first when a plan is carried out.
      t.same(new Set(digests), new Set(real.map(({ digest }) => digest)), `seed ${seed}, step ${step}`);
      evictions += digests.length;
    }
    t.ok(evictions > 20, `${evictions} evictions`);
    await usage.close();
    await evictor.close();
  }
});

function manifestOf(layers: readonly Buffer[], number: number): Buffer {
  const descriptors = layers.map((layer) => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(layer),
    size: layer.byteLength,
  }));
  const [config] = descriptors;
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const fields = {
    schemaVersion: 2,
    mediaType,
    config,
    layers: descriptors,
    annotations: { number: `${number}` },
  };
  return Buffer.from(JSON.stringify(fields));
}

test('the simulated owner of content is that of the fleet', (t) => {
  const contents = new ContentTable();
  const owners = new Owners(5, 'quay.io', contents);
  const names = Array.from({ length: 5 }, (_, index) => `10.0.0.${index + 1}:8402`);
  const members = new Members({ self: '10.0.0.1:8402', clock: createManualClock() });
  members.listed(names);
  const repository = { name: 'openshift/ci', index: 0, members: new Set<number>() };
  for (let number = 0; number < 50; number += 1) {
    const id = contents.idOf(digestOf(Buffer.from(`${number}`)), 1);
    const [first = ''] = members.ranked(`quay.io/openshift/ci@${contents.digest(id)}`);
    t.equal(owners.ofContent(repository, id), names.indexOf(first));
    const tag = `tag-${number}`;
    const [owner = ''] = members.ranked(`quay.io/openshift/ci:${tag}`);
    t.equal(owners.ofReference({ repository, tag, manifest: id }), names.indexOf(owner));
  }
  t.end();
});

test('the simulated disk holds what the disk before a bucket holds', async (t) => {
  const path = t.testdir({});
  const random = createRandom(7);
  let now = Date.UTC(2026, 10, 1);
  const maxBytes = 20_000;
  const files = new KeptFiles({
    ...{ path, maxBytes, buffers: createBufferPool(), now: () => now },
    events: { diskRead() {}, diskChanged() {}, diskEvicted() {}, diskFailed() {}, diskUsabilityChanged() {} },
  });
  const order = new UseOrder();
  const blobs = Array.from({ length: 12 }, (_, index) => Buffer.alloc(1_000 + index * 500, `${index}`));
  await mkdir(join(path, 'new'));
  for (let step = 0; step < 60; step += 1) {
    now += 1_000;
    const blob = blobs[Math.floor(random() * blobs.length)] ?? Buffer.alloc(0);
    const digest = digestOf(blob);
    t.equal(files.has(digest), order.size(digest) !== undefined, `step ${step}`);
    if (order.size(digest) === undefined) {
      const file = join(path, 'new', `${step}`);
      await writeFile(file, blob);
      await files.adopt({ digest, size: blob.byteLength }, file);
      await files.close();
      order.add(digest, blob.byteLength, now);
      const room = { maxBytes, maxFiles: 200_000, pendingBytes: 0 };
      for (let next = order.surplus(room); next; next = order.surplus(room)) order.remove(next);
    } else {
      const content = await files.open(digest, {});
      await content?.close();
      order.use(digest, now);
    }
  }
  await files.close();
});

test('the virtual clock calls back in the order of times, and of one time in turn', (t) => {
  const clock = new VirtualClock();
  const random = createRandom(3);
  const seen: number[] = [];
  for (let number = 0; number < 500; number += 1) {
    const at = Math.floor(random() * 50);
    clock.at(at, () => seen.push(at * 1_000 + number));
  }
  using timer = clock.setTimeout(() => t.fail('a timer that was ended'), 10);
  timer[Symbol.dispose]();
  clock.runUntil(20);
  t.equal(clock.now(), 20);
  clock.runUntil(100);
  t.same(
    seen,
    seen.toSorted((one, other) => one - other),
  );
  t.equal(seen.length, 500);
  t.end();
});
