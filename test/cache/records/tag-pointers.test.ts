import { test } from 'tap';
import { createTagPointers } from '../../../src/cache/records/tag-pointers.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { tagKey } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const scope = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
const tag = parseTag('latest');
const pointer = (meaning: string, checkedAt: number) => ({
  digest: digestOf(Buffer.from(meaning)),
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  size: 1,
  checkedAt,
});

/** Pointers over records that answer when the test says so. */
async function slow() {
  const { records } = createMemoryStore();
  const gate = Promise.withResolvers<void>();
  const options = { maxEntries: 10, confirmEveryMs: 1_000, events: { storeFailed: () => undefined } };
  const before = createTagPointers({ ...options, records });
  before.set(scope, tag, pointer('old', 1));
  await before.close();
  const get: typeof records.get = async (key) => {
    const found = await records.get(key);
    await gate.promise;
    return found;
  };
  return { pointers: createTagPointers({ ...options, records: { ...records, get } }), open: gate.resolve };
}

test('a pointer that is learned while its record is being read stands', async (t) => {
  const { pointers, open } = await slow();
  const finding = pointers.find(scope, tag);
  pointers.set(scope, tag, pointer('new', 2));
  open();
  t.match(await finding, pointer('new', 2));
  t.match(await pointers.find(scope, tag), pointer('new', 2));
  await pointers.close();
});

test('a tag that is gone stays gone while its record cannot be deleted', async (t) => {
  const { records } = createMemoryStore();
  const stuck = { ...records, delete: () => Promise.reject(new Error('read-only')) };
  const failures: unknown[] = [];
  const pointers = createTagPointers({
    records: stuck,
    maxEntries: 10,
    confirmEveryMs: 1_000,
    events: { storeFailed: ({ error }) => failures.push(error) },
  });
  pointers.set(scope, tag, pointer('old', 1));
  await pointers.settled();
  pointers.remove(scope, tag);
  await pointers.settled();
  t.match(failures, [{ message: 'read-only' }]);
  t.equal(await pointers.find(scope, tag), undefined);
  await pointers.close();
});

const settings = { maxEntries: 10, confirmEveryMs: 1_000, events: { storeFailed: () => undefined } };

test('what another replica wrote later is found by reading again, and what it wrote earlier is not believed', async (t) => {
  const { records } = createMemoryStore();
  const [ours, theirs] = [
    createTagPointers({ ...settings, records }),
    createTagPointers({ ...settings, records }),
  ];
  ours.set(scope, tag, pointer('old', 1));
  await ours.settled();
  theirs.set(scope, tag, pointer('new', 2));
  await theirs.settled();
  t.match(ours.known(scope, tag), pointer('old', 1));
  t.match(await ours.reread(scope, tag), pointer('new', 2));
  t.match(ours.known(scope, tag), pointer('new', 2));
  ours.set(scope, tag, pointer('newest', 3));
  t.match(await ours.reread(scope, tag), pointer('newest', 3));
  await Promise.all([ours.close(), theirs.close()]);
});

test('a tag that is being taken away is not read again', async (t) => {
  const { records } = createMemoryStore();
  const gate = Promise.withResolvers<void>();
  const slowly = { ...records, delete: (key: string) => gate.promise.then(() => records.delete(key)) };
  const pointers = createTagPointers({ ...settings, records: slowly });
  pointers.set(scope, tag, pointer('old', 1));
  await pointers.settled();
  pointers.remove(scope, tag);
  t.equal(await pointers.reread(scope, tag), undefined);
  t.equal(await pointers.find(scope, tag), undefined);
  gate.resolve();
  await pointers.close();
});

test('a record that cannot be read again is no answer, and one of garbage is none', async (t) => {
  const { records } = createMemoryStore();
  await records.put(tagKey(scope.upstream, scope.repository, tag), Buffer.from('{'));
  const pointers = createTagPointers({ ...settings, records });
  t.equal(await pointers.reread(scope, tag), undefined);
  await pointers.close();
  const broken = { ...records, get: () => Promise.reject(new Error('down')) };
  const blind = createTagPointers({ ...settings, records: broken });
  await t.rejects(blind.reread(scope, tag), { code: 'UNAVAILABLE' });
  await blind.close();
});

test('a pointer from a clock that was ahead wins over none that was written since', async (t) => {
  const { records } = createMemoryStore();
  const [now, ahead] = [1_000_000, 90_000_000];
  const at = { ...settings, records, now: () => now };
  const [wrong, right] = [createTagPointers(at), createTagPointers(at)];
  wrong.set(scope, tag, pointer('old', ahead));
  await wrong.settled();
  t.match(await right.find(scope, tag), pointer('old', ahead));
  right.set(scope, tag, pointer('old', now));
  await right.settled();
  t.match(
    await createTagPointers(at).find(scope, tag),
    pointer('old', now),
    'a confirmation mends the record',
  );
  right.set(scope, tag, pointer('new', now));
  await right.settled();
  t.match(await wrong.reread(scope, tag), pointer('new', now));
  await Promise.all([wrong.close(), right.close()]);
});

test('a tag that is gone stays gone when the queue has no room for that', async (t) => {
  const { records } = createMemoryStore();
  const others = Array.from({ length: 20 }, (_, index) => parseTag(`other${index}`));
  const before = createTagPointers({ ...settings, records });
  before.set(scope, tag, pointer('old', 1));
  await before.close();
  const broken = { ...records, delete: () => Promise.reject(new Error('read-only')) };
  const pointers = createTagPointers({ ...settings, records: broken, maxEntries: 100, maxWaiting: 2 });
  pointers.remove(scope, tag);
  for (const other of others) pointers.remove(scope, other);
  t.equal(await pointers.find(scope, tag), undefined);
  t.equal(await pointers.reread(scope, tag), undefined);
  await pointers.close();
});
