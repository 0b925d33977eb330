import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createVerifiedStore } from '../../../src/cache/blobs/verified-store.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { blobKey } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { ByteSink } from '../../../src/store/stored-file.ts';
import { randomContent, readAll } from '../../support/bodies.ts';
import { cacheRig } from '../../support/cache-rig.ts';
import { diskRig, flipped, verifiedOver } from './rig.ts';

const size = 300_000;
const whole = { start: 0, end: size - 1 };

test('a bit that flipped on the disk is found at the first read of a process, and costs the bucket nothing', async (t) => {
  const rig = diskRig(t);
  const { bytes, descriptor } = await rig.inBucket(size);
  await rig.read(descriptor.digest);
  await rig.holds(descriptor.digest);
  await flipped(join(rig.path, blobKey(descriptor.digest)));
  const { store } = rig.another();
  const copies = verifiedOver(store);
  t.match(await readAll(copies.read(descriptor, whole)), { error: { code: 'UPSTREAM_INVALID' } });
  await rig.holds();
  t.ok(await rig.memory.blobs.stat(descriptor.digest));
  t.ok((await readAll(copies.read(descriptor, whole))).bytes.equals(bytes));
});

test('a small copy that the disk garbled is read from the bucket', async (t) => {
  const rig = diskRig(t);
  const { bytes, descriptor } = await rig.inBucket(1_000);
  await rig.read(descriptor.digest);
  await rig.holds(descriptor.digest);
  const copies = verifiedOver(rig.disk);
  await flipped(join(rig.path, blobKey(descriptor.digest)));
  t.ok(bytes.equals((await copies.readSmall(descriptor)) ?? Buffer.alloc(0)));
});

test('a copy of another size than the blob that the bucket is known to have goes', async (t) => {
  const rig = diskRig(t);
  const { descriptor } = await rig.inBucket(size);
  await rig.onDisk(descriptor.digest, Buffer.alloc(1));
  const { store } = rig.another();
  t.match(await store.blobs.stat(descriptor.digest), { size: 1 }, 'nothing is known of the bucket');
  t.match(await verifiedOver(rig.another().store).stat(descriptor.digest, size), { size });
  t.match(await store.blobs.stat(descriptor.digest), { size });
});

test('a copy that cannot be sent as a file is given up, and is no failure of the store', async (t) => {
  const rig = diskRig(t);
  const { descriptor } = await rig.inBucket(size);
  await rig.read(descriptor.digest);
  await rig.holds(descriptor.digest);
  const failures: unknown[] = [];
  const events = { repaired: () => {}, storeFailed: (event: unknown) => failures.push(event) };
  const copies = createVerifiedStore({ store: rig.disk.blobs, verifies: 'far', events });
  copies.markVerified(descriptor);
  const file = await copies.openFile(descriptor);
  await truncate(join(rig.path, blobKey(descriptor.digest)), 1_000);
  const sink: ByteSink = { write: (_chunk, taken) => taken() };
  const sent = file?.sendTo(sink, whole, new AbortController().signal);
  await t.rejects(sent ?? Promise.resolve(), { message: 'the copy on the disk cannot be read' });
  file?.close();
  await rig.holds();
  t.ok(rig.seen.includes('read failed'), rig.seen.join());
  t.same(failures, []);
});

test('two readers of one wrong copy delete the copy, and not the object', async (t) => {
  const { disk, memory, inBucket, onDisk } = diskRig(t);
  const { bytes, descriptor } = await inBucket(2 * size);
  await onDisk(descriptor.digest, Buffer.alloc(2 * size, 'z'));
  const copies = verifiedOver(disk);
  const range = { start: 0, end: 2 * size - 1 };
  const slow = copies.read(descriptor, range)[Symbol.asyncIterator]();
  await slow.next();
  t.match(await readAll(copies.read(descriptor, range)), { error: { code: 'UPSTREAM_INVALID' } });
  t.ok(bytes.equals((await readAll(copies.read(descriptor, range))).bytes));
  t.match(await readAll({ [Symbol.asyncIterator]: () => slow }), { error: { code: 'UPSTREAM_INVALID' } });
  t.ok(await memory.blobs.stat(descriptor.digest));
});

test('a copy that begins wrong and is continued from the bucket does not cost the object', async (t) => {
  const { disk, memory, inBucket, onDisk, holds } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  await onDisk(descriptor.digest, Buffer.alloc(size - 1_000));
  const copies = verifiedOver(disk);
  t.match(await readAll(copies.read(descriptor, whole)), { error: { code: 'UPSTREAM_INVALID' } });
  await holds();
  t.ok(await memory.blobs.stat(descriptor.digest));
  t.ok(bytes.equals((await readAll(copies.read(descriptor, whole))).bytes));
});

test('a bit that flips while a read of the bucket is followed does not cost the object', async (t) => {
  const { disk, memory, inBucket, holds, path } = diskRig(t);
  const { descriptor } = await inBucket(4_000_000);
  const range = { start: 0, end: 3_999_999 };
  const reader = verifiedOver(disk).read(descriptor, range)[Symbol.asyncIterator]();
  await reader.next();
  await holds(descriptor.digest);
  await flipped(join(path, blobKey(descriptor.digest)));
  t.match(await readAll({ [Symbol.asyncIterator]: () => reader }), { error: { code: 'UPSTREAM_INVALID' } });
  await holds();
  t.ok(await memory.blobs.stat(descriptor.digest));
});

test('an object that is wrong is deleted, and not the next one by those who read it', async (t) => {
  const { disk, memory, inBucket, store } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  const { open } = store.blobs;
  const wrong = { digest: digestOf(Buffer.alloc(size, 'z')), size };
  await memory.blobs.put(wrong, bytesOf(Buffer.alloc(size, 'z')));
  store.blobs.open = async (_digest, reading) => open(wrong.digest, reading);
  const copies = verifiedOver(disk);
  const slow = copies.read(descriptor, whole)[Symbol.asyncIterator]();
  await slow.next();
  await readAll(copies.read(descriptor, whole));
  t.equal(await memory.blobs.stat(descriptor.digest), undefined);
  store.blobs.open = open;
  await disk.blobs.put(descriptor, bytesOf(bytes));
  t.match(await readAll({ [Symbol.asyncIterator]: () => slow }), { error: { message: /cannot be read/ } });
  t.ok(await memory.blobs.stat(descriptor.digest), 'what was put since');
});

test('without a disk, a slow reader of a wrong blob does not delete the one that replaced it', async (t) => {
  const store = createMemoryStore();
  const { bytes, descriptor } = randomContent(size);
  const { open } = store.blobs;
  const wrong = [Buffer.alloc(size - 1), Buffer.alloc(1)];
  store.blobs.open = async () => ({ descriptor, body: streamed(wrong), close: async () => {} });
  await store.blobs.put(descriptor, bytesOf(bytes));
  const copies = verifiedOver(store);
  const slow = copies.read(descriptor, whole)[Symbol.asyncIterator]();
  await slow.next();
  t.match(await readAll(copies.read(descriptor, whole)), { error: { code: 'UPSTREAM_INVALID' } });
  t.equal(await store.blobs.stat(descriptor.digest), undefined);
  store.blobs.open = open;
  await store.blobs.put(descriptor, bytesOf(bytes));
  t.match(await readAll({ [Symbol.asyncIterator]: () => slow }), { error: { code: 'UPSTREAM_INVALID' } });
  t.ok(await store.blobs.stat(descriptor.digest));
});

test('what a manifest says of the size of a right blob does not cost the blob', async (t) => {
  const store = createMemoryStore();
  const { bytes, descriptor } = randomContent(size);
  await store.blobs.put(descriptor, bytesOf(bytes));
  const copies = verifiedOver(store);
  const larger = { digest: descriptor.digest, size: size + 1 };
  t.match(await readAll(copies.read(larger, { start: 0, end: size })), { error: { name: 'CorruptBlob' } });
  t.ok(await store.blobs.stat(descriptor.digest));
});

for (const [what, copy] of [
  ['became short', size - 1_000],
  ['became long', size + 1_000],
  ['is garbled', size],
] as const)
  test(`after a restart a blob in the bucket is served although its copy ${what}`, async (t) => {
    for (const maxEntryBytes of [1_000, 1_000_000]) {
      const rig = diskRig(t);
      const { bytes, descriptor } = await rig.inBucket(size);
      await rig.onDisk(descriptor.digest, Buffer.alloc(copy));
      const { stat } = rig.store.blobs;
      const { promise, resolve } = Promise.withResolvers<void>();
      rig.store.blobs.stat = async (digest) => {
        rig.store.blobs.stat = stat;
        await promise;
        return stat(digest);
      };
      const { registry, repository, membership } = await cacheRig(t, {
        ...{ store: rig.disk, verifies: 'far', maxEntryBytes },
      });
      await membership.add({ upstream: 'quay.io', repository }, [descriptor]);
      const pulled = async () => {
        const blob = await registry.blobs.open(repository, descriptor.digest, { isRead: true });
        return readAll(blob.read());
      };
      // Garbled bytes of the right size are found at the end of the first read.
      const first = await pulled();
      const { bytes: got } = first.error === undefined ? first : await pulled();
      resolve();
      t.ok(got.equals(bytes));
      t.equal(first.error === undefined, copy !== size || maxEntryBytes > size);
      t.ok(await rig.memory.blobs.stat(descriptor.digest));
    }
  });

async function* streamed(chunks: readonly Uint8Array[]) {
  yield* chunks;
}
