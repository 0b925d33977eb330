import { test } from 'tap';
import { createRepositoryIndex } from '../../../src/cache/records/repository-index.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { memberKey } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Records } from '../../../src/store/records.ts';

const scope = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
const elsewhere = { upstream: 'quay.io', repository: parseRepository('openshift/other') };
const latest = parseTag('latest');
const digest = digestOf(Buffer.from('layer'));
const layer = { digest, size: 5, mediaType: 'application/vnd.oci.image.layer.v1.tar' };

/** Each member in a record of its own, as in large repositories. */
const single = { maxJointBytes: 0 };

interface Switches {
  isDown: boolean;
  gets: number;
  puts: number;
}

/** Records that count their calls and fail while `isDown`. */
function switched(records: Records) {
  const state: Switches = { isDown: false, gets: 0, puts: 0 };
  const wrapped: Records = {
    ...records,
    async get(key) {
      state.gets += 1;
      if (state.isDown) throw new Error('the store is down');
      return await records.get(key);
    },
    async put(key, bytes, condition) {
      state.puts += 1;
      if (state.isDown) throw new Error('the store is down');
      return await records.put(key, bytes, condition);
    },
  };
  return { records: wrapped, state };
}

test('what was added is found at once, before any record is written', async (t) => {
  const { records, state } = switched(createMemoryStore().records);
  state.isDown = true;
  const members = createRepositoryIndex({ records });
  const added = members.add(scope, [layer], latest);
  t.same(await members.find(scope, digest), layer);
  t.same(await members.tagsOf(scope, digest), ['latest']);
  await added;
  await members.close();
});

test('a digest seen in one repository is not found in another', async (t) => {
  const members = createRepositoryIndex({ records: createMemoryStore().records });
  await members.add(scope, [layer]);
  t.equal(await members.find(elsewhere, digest), undefined);
  t.equal(await members.find({ ...scope, upstream: 'docker.io' }, digest), undefined);
  await members.close();
});

test('another replica finds it, after one record read', async (t) => {
  const { records, state } = switched(createMemoryStore().records);
  const first = createRepositoryIndex({ records });
  await first.add(scope, [layer], latest);
  await first.close();
  const second = createRepositoryIndex({ records });
  state.gets = 0;
  const both = await Promise.all([second.find(scope, digest), second.find(scope, digest)]);
  t.same(both, [layer, layer]);
  t.same(await second.tagsOf(scope, digest), ['latest']);
  t.equal(state.gets, 1);
  await second.close();
});

test('"never seen" is remembered for seconds only', async (t) => {
  const { records, state } = switched(createMemoryStore().records);
  let now = 1_000_000;
  const members = createRepositoryIndex({ ...single, records, negativeMs: 5_000, clock: () => now });
  t.equal(await members.find(scope, digest), undefined);
  t.equal(await members.find(scope, digest), undefined);
  t.equal(state.gets, 1);
  const other = createRepositoryIndex({ ...single, records });
  await other.add(scope, [layer]);
  await other.close();
  now += 5_001;
  t.same(await members.find(scope, digest), layer);
  await members.close();
});

test('"never seen" ends with the first sight', async (t) => {
  const members = createRepositoryIndex({ records: createMemoryStore().records });
  t.equal(await members.find(scope, digest), undefined);
  await members.add(scope, [layer]);
  t.same(await members.find(scope, digest), layer);
  await members.close();
});

test('an unknown size never replaces a known one, and a known one replaces it', async (t) => {
  const members = createRepositoryIndex({ records: createMemoryStore().records });
  await members.add(scope, [{ digest, size: -1 }]);
  t.same(await members.find(scope, digest), { digest, size: -1 });
  await members.add(scope, [layer]);
  await members.add(scope, [{ digest, size: -1 }]);
  t.same(await members.find(scope, digest), layer);
  await members.close();
});

test('a later manifest cannot misstate the size or type of a layer', async (t) => {
  const members = createRepositoryIndex({ records: createMemoryStore().records });
  await members.add(scope, [layer]);
  await members.add(scope, [{ digest, size: 1, mediaType: 'text/html' }]);
  t.same(await members.find(scope, digest), layer);
  await members.close();
});

test('what is known already is not written again', async (t) => {
  const { records, state } = switched(createMemoryStore().records);
  const members = createRepositoryIndex({ ...single, records });
  await members.add(scope, [layer], latest);
  await members.settled();
  await members.add(scope, [layer], latest);
  await members.settled();
  t.equal(state.puts, 1);
  await members.close();
});

test('replicas that add tags at once lose none of them', async (t) => {
  const { records } = createMemoryStore();
  const replicas = Array.from({ length: 4 }, () => createRepositoryIndex({ records }));
  await Promise.all(replicas.map((replica, index) => replica.add(scope, [layer], parseTag(`t${index}`))));
  await Promise.all(replicas.map((replica) => replica.close()));
  const reader = createRepositoryIndex({ records });
  t.same(new Set(await reader.tagsOf(scope, digest)), new Set(['t0', 't1', 't2', 't3']));
  await reader.close();
});

test('what comes while the record is read is known beside what the record says', async (t) => {
  const store = createMemoryStore();
  const replica = createRepositoryIndex({ records: store.records });
  await replica.add(scope, [layer], latest);
  await replica.close();
  const read = Promise.withResolvers<void>();
  const members = createRepositoryIndex({
    records: {
      ...store.records,
      get: (key) => read.promise.then(() => store.records.get(key)),
      put: () => Promise.reject(new Error('the store is read-only')),
    },
  });
  const tags = members.tagsOf(scope, digest);
  await members.add(scope, [layer], parseTag('newer'));
  read.resolve();
  await tags;
  t.same(new Set(await members.tagsOf(scope, digest)), new Set(['latest', 'newer']));
  await members.close();
});

test('of many tags the latest 64 stay', async (t) => {
  const members = createRepositoryIndex({ records: createMemoryStore().records });
  for (let index = 0; index < 70; index += 1) await members.add(scope, [layer], parseTag(`t${index}`));
  const tags = await members.tagsOf(scope, digest);
  t.equal(tags.length, 64);
  t.equal(tags.at(-1), 't69');
  await members.close();
});

test('a store that is down fails no pull, is reported, and is written later', async (t) => {
  const { records, state } = switched(createMemoryStore().records);
  const failures: string[] = [];
  const members = createRepositoryIndex({
    ...single,
    records,
    events: { storeFailed: ({ operation }) => failures.push(operation) },
  });
  state.isDown = true;
  t.equal(await members.find(scope, digest), undefined);
  await members.add(scope, [layer]);
  await members.settled();
  t.same(await members.find(scope, digest), layer);
  t.same(new Set(failures), new Set(['read', 'write']));
  state.isDown = false;
  await members.close();
  t.ok(await records.get(memberKey(scope.upstream, scope.repository, digest)));
});

test('the writes of a whole index stay within their number', async (t) => {
  const { records } = createMemoryStore();
  let running = 0;
  let most = 0;
  const members = createRepositoryIndex({
    records: {
      ...records,
      async put(key, bytes, condition) {
        running += 1;
        most = Math.max(most, running);
        await new Promise(setImmediate);
        running -= 1;
        return await records.put(key, bytes, condition);
      },
    },
    ...single,
    concurrency: 3,
  });
  const many = Array.from({ length: 50 }, (_, index) => ({
    digest: digestOf(Buffer.from(`${index}`)),
    size: 1,
  }));
  await members.add(scope, many);
  await members.settled();
  t.equal(most, 3);
  t.equal((await Array.fromAsync(records.list('v1/members/'))).length, 50);
  await members.close();
});

test('what leaves memory is found by its record', async (t) => {
  const members = createRepositoryIndex({ records: createMemoryStore().records, maxEntries: 2 });
  const digests: Digest[] = ['a', 'b', 'c', 'd'].map((text) => digestOf(Buffer.from(text)));
  await members.add(
    scope,
    digests.map((each) => ({ digest: each, size: 1 })),
  );
  t.same(
    await Promise.all(digests.map(async (each) => (await members.find(scope, each))?.size)),
    [1, 1, 1, 1],
  );
  await members.settled();
  t.same(
    await Promise.all(digests.map(async (each) => (await members.find(scope, each))?.size)),
    [1, 1, 1, 1],
  );
  await members.close();
});

test('a record of garbage counts as none, and is replaced', async (t) => {
  const { records } = createMemoryStore();
  await records.put(memberKey(scope.upstream, scope.repository, digest), Buffer.from('{"size":"big"'));
  const members = createRepositoryIndex({ ...single, records });
  t.equal(await members.find(scope, digest), undefined);
  await members.add(scope, [layer]);
  await members.close();
  const again = createRepositoryIndex({ records });
  t.same(await again.find(scope, digest), layer);
  await again.close();
});

test('a size that was found by reading replaces one that was told, for good', async (t) => {
  const { records } = createMemoryStore();
  const members = createRepositoryIndex({ records });
  await members.add(scope, [{ digest, size: 99 }]);
  await members.correct(scope, layer);
  await members.add(scope, [{ digest, size: 99 }]);
  t.match(await members.find(scope, digest), { size: layer.size });
  await members.close();
  const later = createRepositoryIndex({ records });
  await later.add(scope, [{ digest, size: 99 }]);
  await later.settled();
  t.match(await later.find(scope, digest), { size: layer.size }, 'on record too');
  await later.close();
});

const entries = (count: number, name = 'layer') =>
  Array.from({ length: count }, (_, index) => ({
    digest: digestOf(Buffer.from(`${name} ${index}`)),
    size: 1,
  }));

test('what the queue has no room for stays in memory, and is written once the store works', async (t) => {
  const { records, state } = switched(createMemoryStore().records);
  const members = createRepositoryIndex({ ...single, records, maxWaiting: 10, retryMs: 1 });
  state.isDown = true;
  const layers = entries(50);
  await members.add(scope, layers, latest);
  for (const each of layers) t.same(members.known(scope, each.digest)?.tags, [latest]);
  await members.settled();
  state.isDown = false;
  await members.settled();
  t.equal((await Array.fromAsync(records.list('v1/members/'))).length, 50);
  await members.close();
});

const nothing = () => Promise.resolve(undefined);

test('no repository’s records are displaced by those of another', async (t) => {
  const { records } = createMemoryStore();
  const gate = Promise.withResolvers<void>();
  const put: Records['put'] = (key, bytes, condition) =>
    gate.promise.then(() => records.put(key, bytes, condition));
  const members = createRepositoryIndex({
    ...single,
    records: { ...records, put },
    maxWaiting: 20,
    maxEntries: 5,
  });
  await members.add(scope, entries(8), latest);
  await members.add(elsewhere, entries(500, 'other'), parseTag('giant'));
  t.same((await members.unrecordedTags(scope, digest, nothing)).tags, []);
  gate.resolve();
  await members.close();
  const later = createRepositoryIndex({ records });
  for (const each of entries(8)) t.same(await later.tagsOf(scope, each.digest), [latest]);
  await later.close();
});

test('what leaves memory unwritten leaves its tag behind, and too many tags are told', async (t) => {
  const { records } = createMemoryStore();
  const put = () => Promise.reject(new Error('read-only'));
  const members = createRepositoryIndex({
    ...single,
    records: { ...records, put },
    maxWaiting: 2,
    maxEntries: 4,
  });
  await members.add(scope, entries(10), latest);
  await members.add(scope, entries(10, 'more'), parseTag('next'));
  const all = { tags: ['latest', 'next'], isAll: true };
  t.same(await members.unrecordedTags(scope, digest, nothing), all);
  t.same(await members.unrecordedTags(elsewhere, digest, nothing), { tags: [], isAll: true });
  for (let index = 0; index < 1_100; index += 1)
    await members.add(scope, entries(1, `${index}`), parseTag(`t${index}`));
  t.match(await members.unrecordedTags(scope, digest, nothing), { isAll: false });
  t.same(await members.unrecordedTags(elsewhere, digest, nothing), { tags: [], isAll: true });
  await members.close();
});

test('more partial manifests than are remembered are told to all replicas, and not of other repositories', async (t) => {
  const { records } = createMemoryStore();
  const members = createRepositoryIndex({ records });
  for (const each of entries(17, 'giant'))
    members.addPartial(scope, { digest: each.digest, children: [], blobs: [{ digest, size: 1 }] }, [latest]);
  await members.settled();
  const later = createRepositoryIndex({ records });
  for (const each of [members, later]) {
    const found = await each.unrecordedTags(scope, digest, nothing);
    t.same(found, { tags: [latest], isAll: false });
    t.same(await each.unrecordedTags(elsewhere, digest, nothing), { tags: [], isAll: true });
  }
  await members.close();
  await later.close();
});
