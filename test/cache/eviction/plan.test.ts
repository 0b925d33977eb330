import { test } from 'tap';
import { inventoryOf } from '../../../src/cache/eviction/inventory.ts';
import { type EvictionInput, type EvictionPlan, evictionPlan } from '../../../src/cache/eviction/plan.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { sized } from '../../support/sized.ts';
import { createWorkWatch } from '../../support/work-watch.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;
const now = Date.UTC(2026, 10, 22);

/** A store drawn as a table: name, size, last use in days ago, and what it refers to. */
type Row = readonly [name: string, size: number, usedDaysAgo: number, refersTo?: readonly string[]];

function named(name: string): Digest {
  return digestOf(Buffer.from(name));
}

type Changes = Partial<EvictionInput>;

async function input(rows: readonly Row[], changes: Changes = {}): Promise<EvictionInput> {
  const inventory = await inventoryOf(
    rows.map(([name, size]) => ({ digest: named(name), size, storedAt: now - 1_000 * dayMs })),
  );
  const indexes = (names: readonly string[]) => names.flatMap((name) => inventory.indexOf(named(name)) ?? []);
  return {
    inventory,
    usedAt: Float64Array.from(rows, ([, , daysAgo]) => now - daysAgo * dayMs),
    references: new Map(
      rows.flatMap(([, , , refersTo], index) => (refersTo ? [[index, indexes(refersTo)]] : [])),
    ),
    pinned: new Set(),
    isInUse: () => false,
    maxBytes: 100,
    highPercent: 90,
    lowPercent: 80,
    graceMs: 10 * minuteMs,
    now,
    ...changes,
  };
}

async function planOf(rows: readonly Row[], changes: Changes = {}): Promise<EvictionPlan> {
  return evictionPlan(await input(rows, changes));
}

/** The names that go, in order. */
async function evictedNames(rows: readonly Row[], changes: Changes = {}): Promise<string[]> {
  const names = new Map(rows.map(([name]) => [named(name), name]));
  return (await planOf(rows, changes)).delete.map(({ digest }) => names.get(digest) ?? '?');
}

test('nothing goes up to the high mark', async (t) => {
  t.same(await evictedNames([['a', 90, 5]]), []);
});

test('above the high mark the least recently used goes, until the low mark', async (t) => {
  const rows: Row[] = [
    ['newest', 30, 1],
    ['oldest', 10, 9],
    ['old', 10, 8],
    ['newer', 50, 2],
  ];
  t.same(await evictedNames(rows), ['oldest', 'old']);
  const plan = await planOf(rows);
  t.equal(plan.beforeBytes, 100);
  t.equal(plan.afterBytes, 80);
  t.equal(plan.kept.spare, 2);
});

test('a manifest goes with all that it alone refers to, before it', async (t) => {
  const rows: Row[] = [
    ['layer', 40, 9],
    ['config', 1, 9],
    ['manifest', 1, 8, ['config', 'layer']],
    ['other', 60, 1],
  ];
  t.same(await evictedNames(rows), ['manifest', 'layer', 'config']);
});

test('a graph goes as a whole, even past the low mark', async (t) => {
  const rows: Row[] = [
    ['manifest', 20, 8, ['a', 'b']],
    ['a', 40, 9],
    ['b', 40, 9],
  ];
  t.equal((await evictedNames(rows)).length, 3);
});

test('a blob that a kept manifest refers to stays, however long unused', async (t) => {
  const rows: Row[] = [
    ['base', 50, 99],
    ['old manifest', 1, 9, ['base', 'old layer']],
    ['old layer', 20, 9],
    ['new manifest', 1, 1, ['base', 'new layer']],
    ['new layer', 28, 1],
  ];
  t.same(await evictedNames(rows), ['old manifest', 'old layer']);
});

test('a shared blob in use does not make every manifest that refers to it recent', async (t) => {
  const rows: Row[] = [
    ['base', 50, 0.5],
    ['new manifest', 1, 5, ['base', 'new layer']],
    ['new layer', 28, 5],
    ['old manifest', 1, 9, ['base', 'old layer']],
    ['old layer', 20, 9],
  ];
  t.same(await evictedNames(rows), ['old manifest', 'old layer']);
});

test('a manifest is as recent as the blobs that only it refers to', async (t) => {
  const rows: Row[] = [
    ['manifest', 1, 99, ['layer']],
    ['layer', 49, 1],
    ['orphan', 50, 5],
  ];
  t.same(await evictedNames(rows), ['orphan']);
});

test('an index holds its manifests, and is as recent as they are', async (t) => {
  const rows: Row[] = [
    ['index', 1, 99, ['arm manifest', 'amd manifest', 'absent manifest']],
    ['arm manifest', 1, 50, ['arm layer']],
    ['arm layer', 39, 50],
    ['amd manifest', 1, 2, ['amd layer']],
    ['amd layer', 38, 2],
    ['orphan', 20, 9],
  ];
  t.same(await evictedNames(rows), ['orphan']);
  t.same((await evictedNames(rows, { lowPercent: 0 })).slice(0, 2), ['orphan', 'index']);
});

test('a pinned manifest stays with all that it refers to, in any depth', async (t) => {
  const rows: Row[] = [
    ['index', 1, 99, ['manifest']],
    ['manifest', 1, 99, ['layer']],
    ['layer', 58, 99],
    ['recent', 40, 1],
  ];
  t.same(await evictedNames(rows, { pinned: new Set([named('index')]), lowPercent: 1 }), ['recent']);
});

test('what is being read stays', async (t) => {
  const rows: Row[] = [
    ['read', 50, 99],
    ['other', 50, 1],
  ];
  t.same(await evictedNames(rows, { isInUse: (digest) => digest === named('read') }), ['other']);
});

test('what was stored or used minutes ago stays, also when it fills the store', async (t) => {
  const rows: Row[] = [['young', 100, 5 / (24 * 60)]];
  const plan = await planOf(rows);
  t.same(plan.delete, []);
  t.same(plan.kept, { pinned: 0, inUse: 0, young: 1, referenced: 0, spare: 0 });
});

test('each deletion says why', async (t) => {
  const rows: Row[] = [
    ['orphan', 40, 9],
    ['manifest', 20, 8, ['layer']],
    ['layer', 40, 8],
  ];
  const reasons = (await planOf(rows, { lowPercent: 0 })).delete.map(({ reason, with: root }) => [
    reason,
    root,
  ]);
  t.same(reasons, [
    ['blob unused', undefined],
    ['manifest unused', undefined],
    ['manifest evicted', named('manifest')],
  ]);
});

test('a layer shared by manifests goes after the last of them', async (t) => {
  const rows: Row[] = [
    ['first', 5, 9, ['base']],
    ['second', 5, 8, ['base']],
    ['base', 90, 10],
  ];
  t.same(await evictedNames(rows), ['first', 'second', 'base']);
});

test('the time of a plan grows with the number of pieces, not with its square', async (t) => {
  const total = sized(30_000, 200_000);
  const manifests = total / 10;
  const inventory = await inventoryOf(
    Array.from({ length: total }, (_, index) => ({ digest: named(`${index}`), size: 10, storedAt: index })),
  );
  const layers = (manifest: number) =>
    Array.from({ length: 10 }, (_, nth) => manifests + ((manifest * 9 + nth) % (total - manifests)));
  const workMs = createWorkWatch();
  const plan = await planOf([], {
    inventory,
    usedAt: Float64Array.from(inventory.storedAt),
    references: new Map(Array.from({ length: manifests }, (_, manifest) => [manifest, layers(manifest)])),
    maxBytes: total * 10,
  });
  t.ok(workMs() < total / 20);
  t.ok(plan.afterBytes <= 8 * total && plan.afterBytes > 7.5 * total);
});
