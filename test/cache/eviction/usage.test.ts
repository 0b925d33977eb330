import { test } from 'tap';
import { createUsage, eachUse, type Usage } from '../../../src/cache/eviction/usage.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Records } from '../../../src/store/records.ts';

const [a, b] = [digestOf(Buffer.from('a')), digestOf(Buffer.from('b'))];
const noon = Date.UTC(2026, 10, 22, 12);
const minuteMs = 60_000;
const dayMs = 86_400_000;

async function lastUsed(replica: Usage, records: Records): Promise<Map<Digest, number>> {
  const uses = new Map<Digest, number>();
  const note = (digest: Digest, usedAt: number) => uses.set(digest, Math.max(uses.get(digest) ?? 0, usedAt));
  await eachUse(records, note, undefined);
  for (const [digest, usedAt] of replica.unwritten()) note(digest, usedAt);
  return uses;
}

test('replicas see each other’s uses, and the latest one counts', async (t) => {
  const { records } = createMemoryStore();
  let now = noon;
  const first = createUsage({ records, instance: 'one', clock: () => now });
  const second = createUsage({ records, instance: 'two', clock: () => now });
  first.touched(a);
  first.touched(b);
  await first.flush();
  now += 60 * minuteMs;
  second.touched(a);
  await second.flush();
  const uses = await lastUsed(first, records);
  t.equal(uses.get(a), noon + 60 * minuteMs);
  t.equal(uses.get(b), noon);
  t.same(await lastUsed(second, records), uses);
  await first.close();
  await second.close();
});

test('a use counts for its own replica before it is written', async (t) => {
  const { records } = createMemoryStore();
  const replica = createUsage({ records, instance: 'one', clock: () => noon });
  replica.touched(a);
  t.same(await lastUsed(replica, records), new Map([[a, noon]]));
  await replica.close();
});

test('closing writes what was noted', async (t) => {
  const { records } = createMemoryStore();
  const replica = createUsage({ records, instance: 'one', clock: () => noon });
  replica.touched(a);
  await replica.close();
  const later = createUsage({ records, instance: 'one', clock: () => noon });
  t.same(await lastUsed(later, records), new Map([[a, noon]]));
  await later.close();
});

test('two replicas of one name do not overwrite each other', async (t) => {
  const { records } = createMemoryStore();
  const replicas = [a, b].map((digest) => {
    const replica = createUsage({ records, instance: 'same', clock: () => noon });
    replica.touched(digest);
    return replica;
  });
  await Promise.all(replicas.map((replica) => replica.close()));
  const reader = createUsage({ records, instance: 'reader', clock: () => noon });
  t.same(new Set((await lastUsed(reader, records)).keys()), new Set([a, b]));
  await reader.close();
});

test('steady use of a digest is written once in ten minutes', async (t) => {
  const store = createMemoryStore();
  let now = noon;
  let puts = 0;
  const records: typeof store.records = {
    ...store.records,
    async put(key, bytes, condition) {
      puts += 1;
      return await store.records.put(key, bytes, condition);
    },
  };
  const replica = createUsage({ records, instance: 'one', clock: () => now });
  for (let minute = 0; minute < 30; minute += 1, now += minuteMs) {
    replica.touched(a);
    await replica.flush();
  }
  t.equal(puts, 3);
  await replica.close();
});

test('no flush rewrites the whole day: records are cut at ten thousand digests', async (t) => {
  const { records } = createMemoryStore();
  const replica = createUsage({ records, instance: 'one', clock: () => noon });
  for (let batch = 0; batch < 3; batch += 1) {
    for (let index = 0; index < 6_000; index += 1)
      replica.touched(digestOf(Buffer.from(`${batch} ${index}`)));
    await replica.flush();
  }
  t.equal((await Array.fromAsync(records.list('v1/usage/'))).length, 2);
  t.equal((await lastUsed(replica, records)).size, 18_000);
  await replica.close();
});

test('a store that is down is reported, and what was noted is written later, also after midnight', async (t) => {
  const store = createMemoryStore();
  let isDown = Boolean(true);
  let now = noon;
  let failures = 0;
  const replica = createUsage({
    records: {
      ...store.records,
      async put(key, bytes, condition) {
        if (isDown) throw new Error('the store is down');
        return await store.records.put(key, bytes, condition);
      },
    },
    instance: 'one',
    clock: () => now,
    events: { storeFailed: () => (failures += 1) },
  });
  replica.touched(a);
  await replica.flush();
  t.equal(failures, 1);
  isDown = false;
  now += dayMs;
  await replica.flush();
  const other = createUsage({ records: store.records, instance: 'two', clock: () => now });
  t.same(await lastUsed(other, store.records), new Map([[a, noon]]));
  await replica.close();
  await other.close();
});

test('days older than the limit are dropped', async (t) => {
  const { records } = createMemoryStore();
  let now = noon;
  const replica = createUsage({ records, instance: 'one', clock: () => now });
  replica.touched(a);
  await replica.flush();
  now += 31 * dayMs;
  replica.touched(b);
  await replica.flush();
  t.same([...(await lastUsed(replica, records)).keys()], [b]);
  await replica.close();
});

test('a record that cannot be read is an error, not "unused"', async (t) => {
  const store = createMemoryStore();
  const first = createUsage({ records: store.records, instance: 'one', clock: () => noon });
  first.touched(a);
  await first.close();
  const records = { ...store.records, get: () => Promise.reject(new Error('the store is down')) };
  const reader = createUsage({ records, instance: 'two', clock: () => noon });
  await t.rejects(lastUsed(reader, records), { message: 'the store is down' });
  await reader.close();
});

test('lines of garbage are skipped', async (t) => {
  const { records } = createMemoryStore();
  await records.put('v1/usage/2026-11-22/x', Buffer.from(`garbage\n${a} soon\n\n${b} 7`));
  const reader = createUsage({ records, instance: 'one', clock: () => noon });
  t.same(await lastUsed(reader, records), new Map([[b, 7_000]]));
  await reader.close();
});

test('what was served just now is recent for ten minutes', async (t) => {
  let now = noon;
  const replica = createUsage({ records: createMemoryStore().records, instance: 'one', clock: () => now });
  t.notOk(replica.isRecent(a));
  replica.touched(a);
  t.ok(replica.isRecent(a));
  await replica.flush();
  t.ok(replica.isRecent(a));
  now += 10 * minuteMs;
  await replica.flush();
  t.notOk(replica.isRecent(a));
  await replica.close();
});
