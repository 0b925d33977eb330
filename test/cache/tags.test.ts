import { test } from 'tap';
import { memoryStore } from '../../src/cache/store/memory-store.ts';
import { tags } from '../../src/cache/tags.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../src/oci/reference.ts';

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
  const { records } = memoryStore();
  const gate = Promise.withResolvers<void>();
  const options = { maxEntries: 10, confirmEveryMs: 1_000, events: { storeFailed: () => undefined } };
  const before = tags({ ...options, records });
  before.set(scope, tag, pointer('old', 1));
  await before.close();
  const get: typeof records.get = async (key) => {
    const found = await records.get(key);
    await gate.promise;
    return found;
  };
  return { pointers: tags({ ...options, records: { ...records, get } }), open: gate.resolve };
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
  const { records } = memoryStore();
  const stuck = { ...records, delete: () => Promise.reject(new Error('read-only')) };
  const failures: unknown[] = [];
  const pointers = tags({
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
