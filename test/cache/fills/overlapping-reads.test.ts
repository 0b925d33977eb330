import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createOverlappingReads } from '../../../src/cache/fills/overlapping-reads.ts';
import { createSpool, type Spool, type SpoolFile } from '../../../src/cache/fills/spool.ts';
import type { Content, ReadOptions } from '../../../src/oci/content.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { createTempFiles } from '../../../src/store/filesystem/temp-files.ts';
import { holdBlob, made, mib } from '../../store/s3/s3-store-fixture.ts';
import { randomContent, readAll, until } from '../../support/bodies.ts';

/** A bucket that holds one blob, its reads, and the room that they take in the spool. */
async function readsOf(t: Test, options: { readonly spoolBytes?: number } = {}) {
  const { s3, blobs } = await made(t);
  const { bytes, descriptor } = randomContent(2 * mib);
  const { digest } = descriptor;
  holdBlob(s3, digest, bytes);
  const directory = join(t.testdirName, 'spool');
  let spooled = 0;
  let mostSpooled = 0;
  const spool = createSpool({
    directory,
    maxBytes: options.spoolBytes ?? 100 * mib,
    files: createTempFiles(directory),
    buffers: createBufferPool(),
    changed(taken) {
      spooled = taken;
      mostSpooled = Math.max(mostSpooled, taken);
    },
  });
  const reads = createOverlappingReads(blobs, spool);
  t.teardown(reads.close);
  const opened = async (reading?: ReadOptions): Promise<Content> => {
    const content = await reads.blobs.open(digest, reading);
    if (content === undefined) throw new Error('there is no such blob');
    return content;
  };
  return {
    ...{ s3, reads, spool, digest, bytes, opened },
    spooled: () => spooled,
    mostSpooled: () => mostSpooled,
    asked: () => s3.requests.filter(({ operation }) => operation === 'GetObject').length,
    /** Whether a reader gets the whole blob. */
    isRead: async (reading?: ReadOptions) => {
      const { bytes: got, error } = await readAll((await opened(reading)).body);
      return error === undefined && got.equals(bytes);
    },
  };
}

/** The file of a download that came whole. */
async function downloaded(spool: Spool, size: number): Promise<SpoolFile> {
  const gaveWay = (): never => {
    throw new Error('the download gave way');
  };
  const file = await spool.file(size, { progressed: () => {}, gaveWay });
  if (typeof file === 'string') throw new Error(`no room for the download: ${file}`);
  for (let left = size; left > 0; left -= mib) await file.append(new Uint8Array(Math.min(left, mib)));
  return file;
}

test('sixty readers of one blob at once are two reads of the bucket', async (t) => {
  const { isRead, asked, spooled } = await readsOf(t);
  const whole = { range: { start: 0, end: 2 * mib - 1 } };
  const all = Array.from({ length: 60 }, (_, index) => isRead(index % 2 === 0 ? undefined : whole));
  t.ok((await Promise.all(all)).every(Boolean));
  t.equal(asked(), 2);
  await until(() => spooled() === 0, 'the end of the shared read');
});

test('one reader after another has no detour over the spool', async (t) => {
  const { isRead, asked, mostSpooled } = await readsOf(t);
  t.ok(await isRead());
  t.ok(await isRead());
  t.equal(asked(), 2);
  t.equal(mostSpooled(), 0);
});

test('a part of a blob is read from the bucket, unless a shared read has reached it', async (t) => {
  const { s3, opened, asked, bytes } = await readsOf(t);
  s3.switches.stallsAfter = mib;
  const [first, second] = [await opened(), await opened()];
  const part = await opened({ range: { start: 10, end: 19 } });
  t.ok((await readAll(part.body)).bytes.equals(bytes.subarray(10, 20)));
  t.equal(asked(), 2);
  await Promise.all([first.close(), second.close()]);
});

test('a shared read ends with its last reader, and leaves nothing', async (t) => {
  const { s3, opened, isRead, asked, spooled } = await readsOf(t);
  s3.switches.stallsAfter = mib;
  const first = await opened();
  const joined = [await opened(), await opened()];
  t.ok(spooled() > 0);
  await joined[0]?.close();
  t.ok(spooled() > 0, 'one reader is left');
  const iterator = joined[1]?.body[Symbol.asyncIterator]();
  await iterator?.next();
  await iterator?.return?.();
  await until(() => spooled() === 0, 'the end of the shared read');
  await first.close();
  s3.switches.stallsAfter = undefined;
  t.ok(await isRead());
  t.equal(asked(), 3);
});

test('a shared read gives way to downloads, and its reader goes on in the bucket', async (t) => {
  const { s3, opened, spool, asked, bytes } = await readsOf(t, { spoolBytes: 4 * mib });
  s3.switches.stallsAfter = mib;
  const [first, second] = [await opened(), await opened()];
  const reading = second.body[Symbol.asyncIterator]();
  const { value } = await reading.next();
  const begun = Buffer.copyBytesFrom(value ?? Buffer.alloc(0));
  s3.switches.stallsAfter = undefined;
  const downloads = [await downloaded(spool, 2 * mib), await downloaded(spool, 2 * mib)];
  const chunks: Buffer[] = [begun];
  for (let next = await reading.next(); next.done !== true; next = await reading.next())
    chunks.push(Buffer.copyBytesFrom(next.value));
  t.ok(Buffer.concat(chunks).equals(bytes));
  t.equal(asked(), 3);
  await Promise.all(downloads.map((file) => file.release()));
  await first.close();
});

test('where the spool has no room each reader reads the bucket', async (t) => {
  const { isRead, asked, spooled } = await readsOf(t, { spoolBytes: mib });
  t.ok((await Promise.all(Array.from({ length: 4 }, () => isRead()))).every(Boolean));
  t.equal(asked(), 5, 'one more that found no room');
  t.equal(spooled(), 0);
});

test('a blob that is deleted while it is read is not joined any more', async (t) => {
  const { s3, reads, opened, digest } = await readsOf(t);
  s3.switches.stallsAfter = mib;
  const readers = [await opened(), await opened()];
  s3.switches.stallsAfter = undefined;
  await reads.blobs.delete(digest);
  t.equal(await reads.blobs.open(digest), undefined);
  await Promise.all(readers.map((each) => each.close()));
});

test('upkeep reads the bucket itself', async (t) => {
  const { opened, isRead, mostSpooled } = await readsOf(t);
  const first = await opened();
  t.ok(await isRead({ isUpkeep: true }));
  t.equal(mostSpooled(), 0);
  await first.close();
});
