import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { blobKey } from '../../../src/store/keys.ts';
import { readAll, until } from '../../support/bodies.ts';
import { storeSuite } from '../store-suite.ts';
import { diskRig, readFrom } from './rig.ts';

storeSuite('s3', async (t) => diskRig(t).disk);

const size = 300_000;

test('a blob that was read whole is read from the disk from then on', async (t) => {
  const { inBucket, read, holds, opens } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  t.ok(bytes.equals(await read(descriptor.digest)));
  await holds(descriptor.digest);
  t.ok(bytes.equals(await read(descriptor.digest, 0, size - 1)));
  t.ok(bytes.subarray(1_000, 2_001).equals(await read(descriptor.digest, 1_000, 2_000)));
  t.equal(opens().length, 1);
});

test('sixty readers of one blob are one read of the bucket', async (t) => {
  const { inBucket, read, opens, seen } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  const all = await Promise.all(Array.from({ length: 60 }, () => read(descriptor.digest, 0, size - 1)));
  t.ok(all.every((each) => each.equals(bytes)));
  t.equal(opens().length, 1);
  t.equal(seen.filter((event) => event === 'joined').length, 59);
});

test('a part of a blob that is not there is read from the bucket alone', async (t) => {
  const { inBucket, read, holds, asked } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  t.ok(bytes.subarray(200_000, 200_100).equals(await read(descriptor.digest, 200_000, 200_099)));
  t.same(asked, ['stat', 'open 200000']);
  await holds();
});

test('a part that a read under way has reached is read behind it', async (t) => {
  const { inBucket, read, trouble, opens } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  const { promise, resolve } = Promise.withResolvers<void>();
  trouble.gate = promise;
  const whole = read(descriptor.digest);
  await until(() => opens().length === 1);
  t.ok(bytes.subarray(10, 21).equals(await read(descriptor.digest, 10, 20)));
  resolve();
  t.ok(bytes.equals(await whole));
  t.equal(opens().length, 1);
});

test('a download that is stored leaves its file on the disk', async (t) => {
  const { disk, files, memory, holds, read, opens, path } = diskRig(t);
  const bytes = Buffer.alloc(size, 'x');
  const descriptor = { digest: digestOf(bytes), size };
  await mkdir(join(path, 'tmp'), { recursive: true });
  const file = files.temps.newPath();
  await writeFile(file, bytes);
  await disk.blobs.put(descriptor, fed(bytes));
  t.equal(await disk.blobs.keep?.(descriptor, file), true);
  await holds(descriptor.digest);
  t.ok(await memory.blobs.stat(descriptor.digest));
  t.ok(bytes.equals(await read(descriptor.digest)));
  t.equal(opens().length, 0);
});

test('what was not used for the longest time gives way', async (t) => {
  const { inBucket, read, holds, seen } = diskRig(t, { maxBytes: 2.5 * size });
  const [a, b, c] = [await inBucket(size), await inBucket(size), await inBucket(size)];
  await read(a.descriptor.digest);
  await holds(a.descriptor.digest);
  await read(b.descriptor.digest);
  await holds(a.descriptor.digest, b.descriptor.digest);
  await read(a.descriptor.digest);
  await read(c.descriptor.digest);
  await holds(a.descriptor.digest, c.descriptor.digest);
  t.ok(seen.includes('evicted'));
});

test('a copy counts once when its download becomes it', async (t) => {
  const { inBucket, read, settled, files } = diskRig(t, { maxBytes: 3.5 * size });
  const blobs = [await inBucket(size), await inBucket(size), await inBucket(size)];
  for (const { descriptor } of blobs) {
    await read(descriptor.digest);
    await settled();
  }
  const held = await Promise.all(blobs.map(({ descriptor }) => files.size(descriptor.digest)));
  t.same(held, [size, size, size]);
});

test('a copy whose blob the bucket no longer has is served once more, and goes', async (t) => {
  const { inBucket, read, holds, memory, disk } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  await read(descriptor.digest);
  await holds(descriptor.digest);
  await memory.blobs.delete(descriptor.digest);
  t.ok(bytes.equals(await read(descriptor.digest)));
  await holds();
  t.equal(await disk.blobs.stat(descriptor.digest), undefined);
  t.equal(await disk.blobs.open(descriptor.digest), undefined);
});

test('a client is not sent to a blob that the bucket no longer has', async (t) => {
  const { inBucket, read, holds, memory, disk } = diskRig(t);
  const { descriptor } = await inBucket(size);
  await read(descriptor.digest);
  await holds(descriptor.digest);
  t.match(await disk.blobs.redirectUrl?.(descriptor.digest), /bucket/);
  await memory.blobs.delete(descriptor.digest);
  t.equal(await disk.blobs.redirectUrl?.(descriptor.digest), undefined);
});

test('copies are served while the bucket does not answer', async (t) => {
  const { inBucket, read, holds, trouble } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  await read(descriptor.digest);
  await holds(descriptor.digest);
  trouble.isDown = true;
  t.ok(bytes.equals(await read(descriptor.digest)));
  t.ok(bytes.equals(await read(descriptor.digest)));
  await holds(descriptor.digest);
});

test('what is deleted has no copy', async (t) => {
  const { inBucket, read, holds, disk } = diskRig(t);
  const { descriptor } = await inBucket(size);
  await read(descriptor.digest);
  await holds(descriptor.digest);
  await disk.blobs.delete(descriptor.digest);
  await holds();
  t.equal(await disk.blobs.stat(descriptor.digest), undefined);
});

test('upkeep reads the bucket, and leaves no copy', async (t) => {
  const { inBucket, read, holds, disk, opens } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  const upkeep = async () => {
    const content = await disk.blobs.open(descriptor.digest, { isUpkeep: true });
    return (await readAll(content?.body ?? fed(Buffer.alloc(0)))).bytes;
  };
  t.ok(bytes.equals(await upkeep()));
  await holds();
  await read(descriptor.digest);
  await holds(descriptor.digest);
  t.ok(bytes.equals(await upkeep()));
  t.equal(opens().length, 3);
});

test('a process finds the copies of the one before it', async (t) => {
  const rig = diskRig(t);
  const { bytes, descriptor } = await rig.inBucket(size);
  await rig.read(descriptor.digest);
  await rig.holds(descriptor.digest);
  const { store, files } = rig.another();
  t.ok(bytes.equals(await readFrom(store, descriptor.digest)), 'before its walk');
  await files.start();
  t.ok(bytes.equals(await readFrom(store, descriptor.digest)), 'and after it');
  t.equal(rig.opens().length, 1);
});

test('two processes in one directory serve both, and a copy of one that the other took is read from the bucket', async (t) => {
  const rig = diskRig(t);
  const { store, files } = rig.another();
  await files.start();
  const { bytes, descriptor } = await rig.inBucket(size);
  const both = await Promise.all([rig.read(descriptor.digest), readFrom(store, descriptor.digest)]);
  t.ok(both.every((each) => each.equals(bytes)));
  await rig.holds(descriptor.digest);
  await files.remove(descriptor.digest);
  // Who joins the first read while it closes its file is served, and leaves no second copy.
  const copied = () => readFile(join(rig.path, blobKey(descriptor.digest))).catch(() => Buffer.of());
  await until(async () => {
    t.ok(bytes.equals(await rig.read(descriptor.digest)));
    return bytes.equals(await copied());
  }, 'the copy');
  await rig.holds(descriptor.digest);
});

test('a directory that is emptied under the process costs a read of the bucket', async (t) => {
  const { inBucket, read, holds, path, opens } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  await read(descriptor.digest);
  await holds(descriptor.digest);
  await rm(path, { recursive: true });
  t.ok(bytes.equals(await read(descriptor.digest)));
  await holds(descriptor.digest);
  t.equal(opens().length, 2);
});

test('a copy that lost its end is completed from the bucket, and replaced', async (t) => {
  const { inBucket, read, holds, path, asked } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  await read(descriptor.digest);
  await holds(descriptor.digest);
  await truncate(join(path, blobKey(descriptor.digest)), 100_000);
  t.ok(bytes.equals(await read(descriptor.digest, 0, size - 1)));
  t.ok(asked.includes('open 100000'));
  await holds();
  t.ok(bytes.equals(await read(descriptor.digest)));
  await holds(descriptor.digest);
});

test('a bucket that breaks off leaves no copy, and the reader is told', async (t) => {
  const { inBucket, read, holds, trouble } = diskRig(t);
  const { bytes, descriptor } = await inBucket(size);
  trouble.breaksAt = 1_000;
  await t.rejects(read(descriptor.digest), { message: 'the bucket broke off' });
  trouble.breaksAt = undefined;
  await holds();
  t.ok(bytes.equals(await read(descriptor.digest)));
});

test('an object that is not what its digest says leaves no copy', async (t) => {
  const { memory, read, holds, store } = diskRig(t);
  const bytes = Buffer.alloc(size, 'right');
  const { digest } = { digest: digestOf(bytes) };
  const { open } = store.blobs;
  Object.assign(store.blobs, {
    open: async () => open(digestOf(Buffer.alloc(size, 'wrong'))),
  });
  const wrong = Buffer.alloc(size, 'wrong');
  await memory.blobs.put({ digest: digestOf(wrong), size }, fed(wrong));
  await t.rejects(read(digest), { code: 'UPSTREAM_INVALID' });
  await holds();
});

test('a blob for which the disk is too small is read from the bucket by each reader', async (t) => {
  const { inBucket, read, holds, opens } = diskRig(t, { maxBytes: size });
  const { bytes, descriptor } = await inBucket(size);
  for (const _ of [1, 2]) t.ok(bytes.equals(await read(descriptor.digest)));
  await holds();
  t.ok(opens().length >= 2);
});

test('a directory that cannot be made fails no read, is said once, and is left alone for a while', async (t) => {
  const { inBucket, read, seen, opens, files } = diskRig(t, { path: '/dev/null/disk' });
  const { bytes, descriptor } = await inBucket(size);
  for (const _ of [1, 2, 3]) t.ok(bytes.equals(await read(descriptor.digest)));
  t.equal(seen.filter((event) => event === 'unusable').length, 1);
  t.equal(opens().length, 4);
  t.equal(await files.isUsable(), false);
});

test('a directory that can be written again is used again', async (t) => {
  const rig = diskRig(t);
  await writeFile(rig.path, 'a file where a directory should be');
  const { bytes, descriptor } = await rig.inBucket(size);
  t.ok(bytes.equals(await rig.read(descriptor.digest)));
  await rm(rig.path);
  t.equal(await rig.files.isUsable(), true);
  t.ok(bytes.equals(await rig.read(descriptor.digest)));
  await rig.holds(descriptor.digest);
  t.same(
    rig.seen.filter((event) => event.endsWith('usable')),
    ['unusable', 'usable'],
  );
});

async function* fed(bytes: Uint8Array) {
  yield bytes;
}
