import { test } from 'tap';
import { readMember } from '../../../src/cache/members/member-records.ts';
import { createRepositoryIndex } from '../../../src/cache/records/repository-index.ts';
import { formatKey, jointKey } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { counted, elsewhere, filled, firstLayer, layers, one, scope, v1, v2 } from './rig.ts';

test('a joint record of a later version is neither believed nor replaced', async (t) => {
  const { records } = createMemoryStore();
  const bytes = Buffer.from('{"format":4,"members":"elsewhere"}');
  await records.put(jointKey(scope), bytes);
  const digest = firstLayer;
  const index = createRepositoryIndex({ records, retryMs: 1 });
  t.equal(await index.find(scope, digest), undefined);
  await t.rejects(Promise.resolve(index.tagsOf(scope, digest)), { code: 'UNAVAILABLE' });
  await index.add(scope, layers(1), v1);
  await index.close();
  t.same(Buffer.from((await records.get(jointKey(scope)))?.bytes ?? []), bytes);
});

test('beside a record of a later version other repositories are written, and the store is not said to fail', async (t) => {
  const { records, calls } = counted(createMemoryStore().records);
  await records.put(formatKey, Buffer.from('{"jointSince":0}'));
  await records.put(jointKey(scope), Buffer.from('{"format":4,"members":"elsewhere"}'));
  const failures: unknown[] = [];
  const events = { storeFailed: ({ error }: { error: unknown }) => failures.push(error) };
  const index = createRepositoryIndex({ records, retryMs: 3_600_000, events });
  await index.prepare();
  calls.length = 0;
  await index.add(scope, layers(60), v1);
  await index.add(elsewhere, layers(3), v1);
  await index.settled();
  t.equal(await index.find(scope, one('unseen').digest), undefined);
  t.ok(await index.find(scope, firstLayer), 'known while this process runs');
  t.ok(await records.get(jointKey(elsewhere)));
  t.equal(calls.filter((call) => call === `get ${jointKey(scope)}`).length, 1);
  t.same(failures, []);
  await index.close();
});

test('a joint write that fails is told once, however many members it has', async (t) => {
  const { records } = createMemoryStore();
  const failures: unknown[] = [];
  const events = { storeFailed: ({ error }: { error: unknown }) => failures.push(error) };
  const failing = { ...records, get: () => Promise.reject(new Error('the store is down')) };
  const index = createRepositoryIndex({ records: failing, retryMs: 3_600_000, events });
  await index.add(scope, layers(60), v1);
  await index.settled();
  t.equal(failures.length, 1);
  await index.close();
});

test('the record of a later version is looked at again after a minute', async (t) => {
  const { records } = createMemoryStore();
  await records.put(formatKey, Buffer.from('{"jointSince":0}'));
  await records.put(jointKey(scope), Buffer.from('{"format":4,"members":"elsewhere"}'));
  let now = 1_000_000_000_000;
  const index = createRepositoryIndex({ records, retryMs: 3_600_000, clock: () => now });
  await index.add(scope, layers(3), v1);
  await index.settled();
  await records.delete(jointKey(scope));
  now += 60_001;
  await index.add(scope, layers(3), v1);
  await index.close();
  for (const { digest } of layers(3)) t.same((await readMember(records, scope, digest))?.tags, [v1]);
});

test('unknown digests of a repository cost one read of its joint record in a second', async (t) => {
  const { records, calls } = counted(createMemoryStore().records);
  await filled(records, 3);
  let now = 1_000_000_000_000;
  const index = createRepositoryIndex({ records, clock: () => now });
  calls.length = 0;
  for (const { digest } of layers(20, 'unknown')) t.equal(await index.find(scope, digest), undefined);
  t.same(calls, [`get ${jointKey(scope)}`]);
  const other = createRepositoryIndex({ records });
  await other.add(scope, [one('new')], v2);
  await other.close();
  now += 999;
  t.equal(await index.find(scope, one('new').digest), undefined);
  calls.length = 0;
  now += 5_001;
  t.match(await index.find(scope, one('new').digest), one('new'), 'what another replica learned');
  t.same(calls, [`get ${jointKey(scope)}`]);
  await index.close();
});

test('a joint record that did not change is not parsed again for a digest that it lacks', async (t) => {
  const { records } = createMemoryStore();
  await filled(records, 10);
  let now = 1_000_000_000_000;
  const index = createRepositoryIndex({ records, clock: () => now });
  t.ok(await index.find(scope, firstLayer));
  const parsing = t.capture(JSON, 'parse', JSON.parse);
  for (const name of ['a', 'b', 'c']) {
    now += 1_000;
    t.equal(await index.find(scope, one(name).digest), undefined);
  }
  t.same(parsing(), []);
  await index.close();
});
