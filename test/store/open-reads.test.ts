import { test } from 'tap';
import { bytesOf, collected } from '../../src/oci/content.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { countedReads } from '../../src/store/open-reads.ts';

const bytes = Buffer.from('a layer');
const digest = digestOf(bytes);

async function counted() {
  const { blobs } = createMemoryStore();
  await blobs.put({ digest, size: bytes.length }, bytesOf(bytes));
  return countedReads(blobs);
}

test('a read counts until the last byte', async (t) => {
  const { blobs, isReading } = await counted();
  t.notOk(isReading(digest));
  const content = await blobs.open(digest);
  t.ok(isReading(digest));
  t.same(Buffer.from(await collected(content?.body ?? bytesOf(Buffer.alloc(0)), 100)), bytes);
  t.notOk(isReading(digest));
});

test('a read that is left early, or closed unread, counts no more', async (t) => {
  const { blobs, isReading } = await counted();
  const [left, closed] = [await blobs.open(digest), await blobs.open(digest)];
  for await (const _ of left?.body ?? []) break;
  t.ok(isReading(digest), 'the other one goes on');
  await closed?.close();
  await closed?.close();
  t.notOk(isReading(digest));
});

test('what is absent, or cannot be opened, does not count', async (t) => {
  const { blobs, isReading } = await counted();
  const other = digestOf(Buffer.from('other'));
  t.equal(await blobs.open(other), undefined);
  t.notOk(isReading(other));
  const broken = countedReads({ ...blobs, open: () => Promise.reject(new Error('down')) });
  await t.rejects(broken.blobs.open(digest), { message: 'down' });
  t.notOk(broken.isReading(digest));
});

test('an open file counts until it is closed', async (t) => {
  const { blobs } = createMemoryStore();
  const file = { sendTo: async () => {}, close: () => {} };
  const files = { ...blobs, openFile: async () => file };
  const { blobs: watched, isReading } = countedReads(files);
  const opened = await watched.openFile?.(digest);
  t.ok(isReading(digest));
  opened?.close();
  t.notOk(isReading(digest));
  t.equal(countedReads(blobs).blobs.openFile, undefined, 'a store without files stays one');
});
