import { test } from 'tap';
import type { Eviction } from '../../../src/cache/eviction/plan.ts';
import { readMember } from '../../../src/cache/members/member-records.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { jointKey, leaseKey, memberKey, membersPrefix, usagePrefix } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { hourMs, image, layerBytes, missing, replica, tagged } from './eviction-fixture.ts';

test('below the mark nothing but the size is read', async (t) => {
  const store = createMemoryStore();
  await image(store, 'a');
  const measured: number[] = [];
  const one = replica(
    {
      ...store,
      blobs: { ...store.blobs, open: () => Promise.reject(new Error('a blob was read')) },
    },
    { events: { measured: ({ bytes }) => measured.push(bytes) } },
  );
  const report = await one.evict.run();
  t.equal(report.outcome, 'below mark');
  t.same(measured, [report.beforeBytes]);
  await one.close();
});

test('the image that was not used goes whole, and each deletion is told', async (t) => {
  const store = createMemoryStore();
  const [used, unused, recent] = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const told: Eviction[] = [];
  const forgotten: Digest[] = [];
  const one = replica(store, {
    events: { evicted: (event) => told.push(event) },
    deleted: (digest) => forgotten.push(digest),
  });
  for (const digest of [...used.digests, ...recent.digests]) one.uses.touched(digest);
  await one.uses.flush();
  one.pass(hourMs);
  const report = await one.evict.run();
  t.equal(report.outcome, 'evicted');
  t.equal(await missing(store, unused.digests), 3);
  t.equal(await missing(store, [...used.digests, ...recent.digests]), 0);
  t.same(new Set(told.map(({ digest }) => digest)), new Set(unused.digests));
  t.same(
    forgotten,
    told.map(({ digest }) => digest),
  );
  t.equal(told[0]?.digest, unused.manifest);
  t.equal(report.afterBytes, report.beforeBytes - told.reduce((sum, { size }) => sum + size, 0));
  await one.close();
});

test('replicas agree by their usage records', async (t) => {
  const store = createMemoryStore();
  const [first, second, third] = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const one = replica(store);
  const two = replica(store);
  for (const digest of first.digests) one.uses.touched(digest);
  for (const digest of second.digests) two.uses.touched(digest);
  await one.uses.flush();
  await two.uses.flush();
  one.pass(hourMs);
  two.pass(hourMs);
  const plans = [await one.evict.run({ dryRun: true }), await two.evict.run({ dryRun: true })];
  t.same(plans[0]?.evictions, plans[1]?.evictions);
  await two.evict.run();
  t.equal(await missing(store, third.digests), 3);
  t.equal(await missing(store, [...first.digests, ...second.digests]), 0);
  await one.close();
  await two.close();
});

test('a dry run says what would go, deletes nothing and takes no lease', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const one = replica(store);
  const report = await one.evict.run({ dryRun: true });
  t.equal(report.outcome, 'planned');
  t.equal(report.evictions.length, 3);
  t.equal(
    await missing(
      store,
      images.flatMap(({ digests }) => digests),
    ),
    0,
  );
  t.equal(await store.records.get(leaseKey('eviction')), undefined);
  await one.close();
});

test('pinned tags hold their images, however long unused', async (t) => {
  const store = createMemoryStore();
  const [pinned, used, other] = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  await tagged(store, 'release-1', pinned.manifest);
  await tagged(store, 'daily', other.manifest);
  const one = replica(store, { pins: [/^quay\.io\/openshift\/ci:release-/] });
  for (const digest of [...used.digests, ...other.digests]) one.uses.touched(digest);
  await one.uses.flush();
  one.pass(hourMs);
  const report = await one.evict.run();
  t.equal(await missing(store, pinned.digests), 0);
  t.equal(report.kept?.pinned, 1);
  t.equal(report.evictions.length, 3);
  await one.close();
});

test('what is being read is never deleted', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const layers = images.map(({ layer }) => layer);
  const one = replica(store, { isInUse: (digest) => layers.includes(digest) });
  await one.evict.run();
  t.equal(await missing(store, layers), 0);
  await one.close();
});

test('what begins to be read while others are deleted stays', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const layers = images.map(({ layer }) => layer);
  const reading = new Set<Digest>();
  const one = replica(store, {
    isInUse: (digest) => reading.has(digest),
    deleted: () => {
      for (const layer of layers) reading.add(layer);
    },
  });
  t.equal((await one.evict.run()).evictions.length, 2);
  t.equal(await missing(store, layers), 0);
  await one.close();
});

test('what is used between the plan and the deletion stays, with all that it refers to', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const manifests = images.map(({ manifest }) => manifest);
  const { records, blobs } = store;
  const one = replica({
    ...store,
    records,
    blobs: {
      ...blobs,
      async open(digest, options) {
        for (const manifest of manifests) one.uses.touched(manifest);
        return await blobs.open(digest, options);
      },
    },
  });
  const report = await one.evict.run();
  t.same(report.evictions, []);
  t.equal(
    await missing(
      store,
      images.flatMap(({ digests }) => digests),
    ),
    0,
  );
  await one.close();
});

test('while one replica holds the lease, another does nothing', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const entered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = replica({
    ...store,
    blobs: {
      ...store.blobs,
      async *list(options) {
        entered.resolve();
        await gate.promise;
        yield* store.blobs.list(options);
      },
    },
  });
  const other = replica(store);
  const run = slow.evict.run();
  await entered.promise;
  t.equal((await other.evict.run()).outcome, 'busy');
  gate.resolve();
  t.equal((await run).outcome, 'evicted');
  t.equal(
    await missing(
      store,
      images.flatMap(({ digests }) => digests),
    ),
    3,
  );
  t.equal((await other.evict.run()).outcome, 'below mark');
  await slow.close();
  await other.close();
});

test('the lease of a replica that died runs out', async (t) => {
  const store = createMemoryStore();
  const one = replica(store);
  const soon = Buffer.from(JSON.stringify({ holder: 'dead', expiresAt: Date.now() + 24 * hourMs + 60_000 }));
  await store.records.put(leaseKey('eviction'), soon);
  t.equal((await one.evict.run()).outcome, 'busy');
  one.pass(61_000);
  t.equal((await one.evict.run()).outcome, 'below mark');
  await one.close();
});

test('when usage cannot be read, nothing is deleted', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const list: typeof store.records.list = (prefix) => {
    if (prefix === usagePrefix) throw new Error('the store is down');
    return store.records.list(prefix);
  };
  const one = replica({ ...store, records: { ...store.records, list } });
  await t.rejects(one.evict.run(), { message: 'the store is down' });
  t.equal(
    await missing(
      store,
      images.flatMap(({ digests }) => digests),
    ),
    0,
  );
  await one.close();
});

test('membership of what the store holds no more is forgotten after a month', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const layers = images.map(({ layer }) => layer);
  for (const layer of layers) {
    await store.records.put(memberKey('quay.io', parseRepository('openshift/ci'), layer), Buffer.from('{}'));
  }
  const one = replica(store);
  const members = async () => (await Array.fromAsync(store.records.list(membersPrefix))).length;
  await one.evict.run();
  t.equal(await missing(store, layers), 1);
  t.equal(await members(), 3);
  const full = replica(store, { maxBytes: layerBytes });
  full.pass(30 * 24 * hourMs);
  await full.evict.run();
  t.equal(await missing(store, layers), 3);
  t.equal(await members(), 0);
  await one.close();
  await full.close();
});

test('old members leave a joint record, and what is held or new stays in it', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const scope = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
  const entry = { size: 1, tags: [], tagsAt: 0, seenAt: 0, format: 2 };
  const young = digestOf(Buffer.from('seen just now'));
  const one = replica(store);
  const members = Object.fromEntries([
    ...images.map(({ layer }) => [layer, entry]),
    [young, { ...entry, seenAt: 8.64e15 }],
  ]);
  await store.records.put(jointKey(scope), Buffer.from(JSON.stringify({ format: 3, members })));
  await one.evict.run();
  t.equal(await missing(store, [...images.map(({ layer }) => layer)]), 1);
  const left = await Promise.all(
    images.map(async ({ layer }) => (await readMember(store.records, scope, layer)) !== undefined),
  );
  t.equal(left.filter((isLeft) => isLeft).length, 2);
  t.ok(await readMember(store.records, scope, young));
  await one.close();
});

test('a store that pins fill is reported as stuck', async (t) => {
  const store = createMemoryStore();
  for (const name of ['a', 'b', 'c']) await tagged(store, name, (await image(store, name)).manifest);
  const one = replica(store, { pins: [/./] });
  const report = await one.evict.run();
  t.ok(report.isStuck);
  t.same(report.evictions, []);
  await one.close();
});

test('damaged content does not stop eviction', async (t) => {
  const store = createMemoryStore();
  const images = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const broken = images[0]?.manifest;
  const one = replica({
    ...store,
    blobs: {
      ...store.blobs,
      open: async (digest, options) => {
        if (digest === broken) throw new Error('short object');
        return await store.blobs.open(digest, options);
      },
    },
  });
  t.equal((await one.evict.run()).outcome, 'evicted');
  await one.close();
});

test('it runs by itself, tells failures, and ends when closed', async (t) => {
  const store = createMemoryStore();
  const failed = Promise.withResolvers<unknown>();
  const measured = Promise.withResolvers<void>();
  let isDown = Boolean(true);
  const one = replica(
    {
      ...store,
      blobs: {
        ...store.blobs,
        list(options) {
          if (isDown) throw new Error('the store is down');
          return store.blobs.list(options);
        },
      },
    },
    {
      everyMs: 1,
      events: { failed: ({ error }) => failed.resolve(error), measured: () => measured.resolve() },
    },
  );
  const alive = setTimeout(() => {}, 10_000);
  one.evict.start();
  t.match(await failed.promise, { message: 'the store is down' });
  isDown = false;
  await measured.promise;
  clearTimeout(alive);
  await one.close();
  await t.rejects(one.evict.run(), { message: 'the evictor is closed' });
});

test('a use by a clock that was ahead counts as a late one, and holds nothing until that time', async (t) => {
  const store = createMemoryStore();
  const [first, second, third] = [await image(store, 'a'), await image(store, 'b'), await image(store, 'c')];
  const [ahead, right] = [replica(store), replica(store)];
  ahead.pass(1_000 * hourMs);
  for (const { digests } of [first, second, third]) for (const digest of digests) ahead.uses.touched(digest);
  await ahead.uses.flush();
  right.pass(hourMs);
  for (const digest of second.digests) right.uses.touched(digest);
  await right.uses.flush();
  const report = await right.evict.run();
  t.equal(report.isStuck, false);
  t.equal(await missing(store, second.digests), 0, 'what was used here just now stays');
  t.equal(await missing(store, [...first.digests, ...third.digests]), 3);
  await ahead.close();
  await right.close();
});
