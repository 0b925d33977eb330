import { test } from 'tap';
import type { IndexEntry } from '../../../src/cache/members/index-entry.ts';
import { MemberRecords, readMember } from '../../../src/cache/members/member-records.ts';
import { createRepositoryIndex } from '../../../src/cache/records/repository-index.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseTag } from '../../../src/oci/reference.ts';
import { formatKey, jointKey, memberKey } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Records } from '../../../src/store/records.ts';
import { counted, elsewhere, filled, firstLayer, keysOf, layers, one, scope, v1, v2, v3 } from './rig.ts';

const dayMs = 86_400_000;

test('the members of an image are one write, and one read on another replica', async (t) => {
  const { records, calls } = counted(createMemoryStore().records);
  const first = createRepositoryIndex({ records });
  await first.prepare();
  calls.length = 0;
  await first.add(scope, layers(10), undefined, { isNew: true });
  await first.add(scope, layers(10), v1);
  await first.close();
  t.same(calls, [`get ${jointKey(scope)}`, `put ${jointKey(scope)}`]);
  calls.length = 0;
  const second = createRepositoryIndex({ records });
  for (const layer of layers(10)) {
    t.same(await second.find(scope, layer.digest), layer);
    t.same(await second.tagsOf(scope, layer.digest), [v1]);
  }
  t.same(calls, [`get ${jointKey(scope)}`]);
  await second.add(scope, layers(10), v2);
  await second.close();
  t.same(calls.slice(1), [`put ${jointKey(scope)}`], 'the next tag is one write of what was read');
});

test('members of one repository are none of another, whatever is asked', async (t) => {
  const { records } = createMemoryStore();
  await filled(records, 3);
  const index = createRepositoryIndex({ records });
  for (const { digest } of layers(3)) {
    t.equal(await index.find(elsewhere, digest), undefined);
    t.equal(await index.find({ ...scope, upstream: 'docker.io' }, digest), undefined);
    t.same(await index.tagsOf(elsewhere, digest), []);
  }
  await index.close();
});

test('replicas that add to one joint record at once lose nothing of each other', async (t) => {
  const { records } = createMemoryStore();
  let writers = 0;
  const all = Promise.withResolvers<void>();
  const put: Records['put'] = async (key, ...rest) => {
    if (key === jointKey(scope)) {
      writers += 1;
      if (writers === 4) all.resolve();
      await all.promise;
    }
    return records.put(key, ...rest);
  };
  const replicas = Array.from({ length: 4 }, () => createRepositoryIndex({ records: { ...records, put } }));
  await Promise.all(
    replicas.map((replica, index) => replica.add(scope, layers(5, `of ${index}`), parseTag(`t${index}`))),
  );
  await Promise.all(replicas.map((replica) => replica.close()));
  for (const index of replicas.keys())
    for (const { digest } of layers(5, `of ${index}`))
      t.same((await readMember(records, scope, digest))?.tags, [`t${index}`]);
});

test('members too many for one record get one each, and none is lost', async (t) => {
  const { records } = createMemoryStore();
  const small = { maxJointBytes: 2_000 };
  await filled(records, 5, small);
  t.same(await keysOf(records), [jointKey(scope)]);
  const [replica, other] = [createRepositoryIndex({ records }), createRepositoryIndex({ records, ...small })];
  for (const { digest } of layers(5)) t.ok(await replica.find(scope, digest));
  await other.add(scope, layers(30), v2);
  await other.close();
  t.equal((await keysOf(records)).length, 31);
  for (const { digest } of layers(30)) t.ok((await readMember(records, scope, digest))?.tags.includes(v2));
  await replica.add(scope, layers(31), v3);
  await replica.close();
  for (const { digest } of layers(31)) t.ok((await readMember(records, scope, digest))?.tags.includes(v3));
  for (const { digest } of layers(5)) t.ok((await readMember(records, scope, digest))?.tags.includes(v1));
});

test('a process that ends while it gives each member a record loses none of them', async (t) => {
  const { records } = createMemoryStore();
  await filled(records, 20);
  let left = 7;
  const dying: Records = {
    ...records,
    put: (key, bytes, condition) =>
      left-- > 0 ? records.put(key, bytes, condition) : Promise.reject(new Error('killed')),
  };
  await filled(dying, 25, { maxJointBytes: 2_000 });
  for (const { digest } of layers(20)) t.ok(await readMember(records, scope, digest));
  await filled(records, 25, { maxJointBytes: 2_000 });
  for (const { digest } of layers(25)) t.same((await readMember(records, scope, digest))?.tags, [v1]);
});

test('a store of an earlier version is read and written as that version does', async (t) => {
  const { records, calls } = counted(createMemoryStore().records);
  await filled(records, 3, { maxJointBytes: 0 });
  const index = createRepositoryIndex({ records });
  await index.prepare();
  calls.length = 0;
  for (const layer of layers(3)) t.same(await index.find(scope, layer.digest), layer);
  t.same(
    calls,
    layers(3).map(({ digest }) => `get ${memberKey('quay.io', scope.repository, digest)}`),
  );
  await index.add(scope, layers(4), v2);
  await index.add(elsewhere, layers(1), v1);
  await index.close();
  t.notOk(
    (await keysOf(records)).some((key) => key.endsWith('_joint')),
    'for earlier replicas to read',
  );
  const earlier = createRepositoryIndex({ records, maxJointBytes: 0 });
  t.same(await earlier.tagsOf(scope, firstLayer), [v1, v2]);
  t.same(await earlier.tagsOf(elsewhere, firstLayer), [v1]);
  await earlier.close();
});

test('a day after an update new repositories get joint records, and earlier ones stay as they are', async (t) => {
  const { records } = createMemoryStore();
  await filled(records, 3, { maxJointBytes: 0 });
  let now = 1_000_000_000_000;
  const index = createRepositoryIndex({ records, clock: () => now });
  await index.prepare();
  now += dayMs + 120_000;
  await index.add(scope, layers(4), v2);
  await index.add(elsewhere, layers(4), v1);
  await index.close();
  t.same(
    (await keysOf(records)).filter((key) => key.endsWith('_joint')),
    [jointKey(elsewhere)],
  );
  for (const { digest } of layers(4)) {
    t.ok((await readMember(records, scope, digest))?.tags.includes(v2));
    t.same((await readMember(records, elsewhere, digest))?.tags, [v1]);
  }
});

test('a joint record of garbage counts as none, and is replaced', async (t) => {
  for (const garbage of ['', '{', '[]', '{"format":3}', '{"format":3,"members":[1]}', '{"members":{}}']) {
    const { records } = createMemoryStore();
    await records.put(jointKey(scope), Buffer.from(garbage));
    await records.put(formatKey, Buffer.from('{"jointSince":0}'));
    const digest = firstLayer;
    const index = createRepositoryIndex({ records });
    t.equal(await index.find(scope, digest), undefined, garbage);
    await index.add(scope, layers(1), v1);
    await index.close();
    t.same((await readMember(records, scope, digest))?.tags, [v1]);
  }
});

test('garbage in place of the word that each member has a record hides none of these', async (t) => {
  const { records } = createMemoryStore();
  await filled(records, 30, { maxJointBytes: 2_000 });
  await records.put(jointKey(scope), Buffer.from('{'));
  for (const { digest } of layers(30)) t.ok(await readMember(records, scope, digest));
  await filled(records, 31);
  for (const { digest } of layers(31)) t.ok(await readMember(records, scope, digest));
});

test('of a joint record what is no member is passed over, and what is in doubt proves nothing', async (t) => {
  const { records } = createMemoryStore();
  const [good, doubtful, wrong] = [one('good'), one('doubtful'), one('wrong')];
  const entry = { size: 1, tags: [v1], tagsAt: 1, seenAt: 1 };
  const members = {
    [good.digest]: { ...entry, format: 2 },
    [doubtful.digest]: entry,
    [wrong.digest]: { ...entry, tags: ['../x'], format: 2 },
    'sha256:00': { ...entry, format: 2 },
    [`__proto__`]: { ...entry, format: 2 },
  };
  await records.put(jointKey(scope), Buffer.from(JSON.stringify({ format: 3, members })));
  const index = createRepositoryIndex({ records });
  t.ok(await index.find(scope, good.digest));
  t.equal(await index.find(scope, doubtful.digest), undefined);
  t.equal(await index.find(scope, wrong.digest), undefined);
  await index.close();
});

test('what comes while a joint record is written is one more write', async (t) => {
  const { records, calls } = counted(createMemoryStore().records);
  const merged = (_scope: unknown, before: IndexEntry | undefined, seen: IndexEntry) => before ?? seen;
  const members = new MemberRecords({ records, merged, concurrency: 8, clock: () => 1 });
  await members.prepare();
  const entry = { size: 1, tags: [], tagsAt: 1, seenAt: 1 };
  calls.length = 0;
  const write = ({ digest }: { digest: Digest }) => members.write({ scope, digest, member: entry });
  const first = layers(5).map(write);
  await first[0];
  await Promise.all([...first, ...layers(9).slice(5).map(write)]);
  t.same(calls.filter((call) => call.startsWith('put')).length, 2);
});
