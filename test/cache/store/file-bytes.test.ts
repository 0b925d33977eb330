import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { bufferPool } from '../../../src/cache/store/buffers.ts';
import { fileBytes, type ReadableFile } from '../../../src/cache/store/file-bytes.ts';
import { collected } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { patterned } from './store-suite.ts';

const size = 40 * 1024 * 1024 + 1;
const bytes = patterned(size);
const everything = { start: 0, end: size - 1 };

async function opened(t: Test): Promise<FileHandle> {
  const file = await open(join(t.testdir({ blob: bytes }), 'blob'), 'r');
  t.teardown(() => file.close());
  return file;
}

test('a fast reader gets large buffers, the right bytes, and gives the buffers back', async (t) => {
  const file = await opened(t);
  const pool = bufferPool();
  let most = 0;
  async function* watched() {
    for await (const chunk of fileBytes(file, everything, { pool })) {
      most = Math.max(most, pool.usedBytes);
      yield chunk;
    }
  }
  t.equal(digestOf(await collected(watched(), size)), digestOf(bytes));
  t.equal(most, 2 * pool.bufferBytes);
  t.equal(pool.usedBytes, 0);
});

test('a reader that becomes slow gives its large buffers back', async (t) => {
  const file = await opened(t);
  const pool = bufferPool();
  const reading = fileBytes(file, everything, { pool });
  while (pool.usedBytes === 0) await reading.next();
  const clock = t.intercept(performance, 'now', { value: () => clock().length * 60_000 });
  for (let taken = 0; taken < 3; taken += 1) await reading.next();
  t.equal(pool.usedBytes, 0);
  t.equal((await reading.next()).value?.byteLength, 32 * 1024);
  await reading.return();
});

test('a reader that leaves gives its large buffers back', async (t) => {
  const file = await opened(t);
  const pool = bufferPool();
  for await (const _ of fileBytes(file, everything, { pool })) if (pool.usedBytes > 0) break;
  t.equal(pool.usedBytes, 0);
});

test('without room in the pool every reader still gets the right bytes', async (t) => {
  const file = await opened(t);
  const reading = fileBytes(file, everything, { pool: bufferPool({ maxBytes: 0 }) });
  t.equal(digestOf(await collected(reading, size)), digestOf(bytes));
});

/** A file that counts what is read of it in large pieces. */
function counting(file: FileHandle) {
  let count = 0;
  const read: ReadableFile['read'] = (target, offset, length, position) => {
    if (length > 32 * 1024) count += 1;
    return file.read(target, offset, length, position);
  };
  return { read, count: () => count };
}

test('what fast readers of the same file want at the same time is read once', async (t) => {
  const file = counting(await opened(t));
  const pool = bufferPool();
  const readers = Array.from({ length: 4 }, () => fileBytes(file, everything, { pool, name: 'blob' }));
  const digests = await Promise.all(readers.map(async (each) => digestOf(await collected(each, size))));
  t.same(new Set(digests), new Set([digestOf(bytes)]));
  const blocks = Math.ceil(size / pool.bufferBytes);
  t.ok(file.count() > 0 && file.count() < 1.5 * blocks, `${file.count()} reads of ${blocks} blocks`);
  t.equal(pool.usedBytes, 0);
});

test('readers of files with other names share nothing', async (t) => {
  const others = Buffer.alloc(size, 7);
  const directory = t.testdir({ other: others });
  const other = await open(join(directory, 'other'), 'r');
  t.teardown(() => other.close());
  const pool = bufferPool();
  const [one, two] = await Promise.all([
    collected(fileBytes(await opened(t), everything, { pool, name: 'one' }), size),
    collected(fileBytes(other, everything, { pool, name: 'two' }), size),
  ]);
  t.equal(digestOf(one), digestOf(bytes));
  t.equal(digestOf(two), digestOf(others));
});

test('ranges that begin and end anywhere share with a reader of the whole', async (t) => {
  const file = counting(await opened(t));
  const pool = bufferPool();
  const range = { start: 1_234_567, end: size - 765_432 };
  const [whole, part] = await Promise.all([
    collected(fileBytes(file, everything, { pool, name: 'blob' }), size),
    collected(fileBytes(file, range, { pool, name: 'blob' }), range.end - range.start + 1),
  ]);
  t.equal(digestOf(whole), digestOf(bytes));
  t.equal(digestOf(part), digestOf(bytes.subarray(range.start, range.end + 1)));
  t.equal(pool.usedBytes, 0);
});

test('a file that ends too early is told of by every reader, after the bytes that it has', async (t) => {
  const file = await opened(t);
  const pool = bufferPool();
  const beyond = { start: 0, end: size };
  async function readToTheEnd() {
    let taken = 0;
    for await (const chunk of fileBytes(file, beyond, { pool, name: 'blob' })) {
      taken += chunk.byteLength;
      if (taken === size) break;
    }
    return taken;
  }
  const reading = () => collected(fileBytes(file, beyond, { pool, name: 'blob' }), size + 1);
  t.equal(await readToTheEnd(), size);
  await Promise.all([reading(), reading()].map((each) => t.rejects(each, { code: 'UPSTREAM_INVALID' })));
  t.equal(pool.usedBytes, 0);
});
