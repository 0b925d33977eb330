import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { collected } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { fileBytes } from '../../../src/store/sending/file-bytes.ts';
import { patterned } from '../store-suite.ts';

const size = 40 * 1024 * 1024 + 1;
const bytes = patterned(size);
const everything = { start: 0, end: size - 1 };

async function opened(t: Test): Promise<FileHandle> {
  const file = await open(join(t.testdir({ blob: bytes }), 'blob'), 'r');
  t.teardown(() => file.close());
  return file;
}

test('a reader has large buffers from the first byte, the right bytes, and gives the buffers back', async (t) => {
  const file = await opened(t);
  const pool = createBufferPool();
  let most = 0;
  let first: number | undefined;
  async function* watched() {
    for await (const chunk of fileBytes(file, everything, { pool })) {
      most = Math.max(most, pool.usedBytes);
      first ??= chunk.byteLength;
      yield chunk;
    }
  }
  t.equal(digestOf(await collected(watched(), size)), digestOf(bytes));
  t.equal(first, pool.bufferBytes);
  t.equal(most, 2 * pool.bufferBytes);
  t.equal(pool.usedBytes, 0);
});

test('a reader that becomes slow gives its large buffers back', async (t) => {
  const file = await opened(t);
  const pool = createBufferPool();
  const reading = fileBytes(file, everything, { pool });
  while (pool.usedBytes === 0) await reading.next();
  const clock = t.intercept(performance, 'now', { value: () => clock().length * 60_000 });
  for (let taken = 0; taken < 3; taken += 1) await reading.next();
  t.equal(pool.usedBytes, 0);
  t.equal((await reading.next()).value?.byteLength, 32 * 1024);
  await reading.return();
});

test('a slow reader gets large buffers again once it has taken 16 MiB without a pause', async (t) => {
  const file = await opened(t);
  const pool = createBufferPool();
  const reading = fileBytes(file, everything, { pool });
  await reading.next();
  const clock = t.intercept(performance, 'now', { value: () => clock().length * 60_000 });
  for (let taken = 0; taken < 3; taken += 1) await reading.next();
  clock.restore();
  let taken = 0;
  while (pool.usedBytes === 0) taken += (await reading.next()).value?.byteLength ?? 0;
  t.ok(taken >= 16 * 1024 * 1024);
  await reading.return();
});

test('a range that fits a small buffer takes no large ones, and no more memory than it has bytes', async (t) => {
  const file = await opened(t);
  const pool = createBufferPool();
  for await (const chunk of fileBytes(file, { start: 7, end: 106 }, { pool })) {
    t.equal(pool.usedBytes, 0);
    t.equal(chunk.buffer.byteLength, 100);
  }
});

test('a reader that leaves gives its large buffers back', async (t) => {
  const file = await opened(t);
  const pool = createBufferPool();
  for await (const _ of fileBytes(file, everything, { pool })) if (pool.usedBytes > 0) break;
  t.equal(pool.usedBytes, 0);
});

test('without room in the pool every reader still gets the right bytes', async (t) => {
  const file = await opened(t);
  const reading = fileBytes(file, everything, { pool: createBufferPool({ maxBytes: 0 }) });
  t.equal(digestOf(await collected(reading, size)), digestOf(bytes));
});

test('a pool gives out no more than its limit, and the same buffers again', async (t) => {
  const pool = createBufferPool({ maxBytes: 4000, maxSingleBytes: 1000, bufferBytes: 1000 });
  const [first, second, single] = [pool.takePair(), pool.takePair(), pool.takeOne()];
  t.equal(pool.takePair(), undefined);
  t.equal(pool.takeOne(), undefined);
  t.equal(new Set([...(first ?? []), ...(second ?? []), ...(single ?? [])]).size, 5);
  if (first) pool.giveBack(first);
  t.same(new Set(pool.takePair()), new Set(first));
  if (single) pool.giveBack(single);
  t.same(pool.takeOne(), single);
});
