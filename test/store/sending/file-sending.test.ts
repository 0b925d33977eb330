import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { FileSending } from '../../../src/store/sending/file-sending.ts';
import type { ByteSink } from '../../../src/store/stored-file.ts';
import { patterned } from '../store-suite.ts';

const size = 3 * 1024 * 1024 + 17;
const bytes = patterned(size);
const everything = { start: 0, end: size - 1 };
const here = new AbortController().signal;

async function opened(t: Test): Promise<FileHandle> {
  const file = await open(join(t.testdir({ blob: bytes }), 'blob'), 'r');
  t.teardown(() => file.close());
  return file;
}

type Take = (chunk: Uint8Array, taken: (error?: Error | null) => void) => void;

/** A sink that keeps a copy of what it is given, and takes it in the next turn. */
function collecting(take: Take = (_chunk, taken) => setImmediate(taken)) {
  const chunks: Uint8Array[] = [];
  const sink: ByteSink = {
    write(chunk, taken) {
      chunks.push(new Uint8Array(chunk));
      take(chunk, taken);
    },
  };
  return { sink, chunks, all: () => Buffer.concat(chunks) };
}

test('a range arrives whole and in order, and the buffers are back', async (t) => {
  const { fd } = await opened(t);
  const pool = createBufferPool();
  for (const range of [everything, { start: 7, end: 106 }, { start: 1, end: 700_000 }]) {
    const { sink, all } = collecting();
    await new FileSending({ fd, range, sink, pool, signal: here }).run();
    t.equal(digestOf(all()), digestOf(bytes.subarray(range.start, range.end + 1)));
    t.equal(pool.usedBytes, 0);
  }
});

test('what the sink has is not overwritten while the disk is read ahead', async (t) => {
  const { fd } = await opened(t);
  const changed: number[] = [];
  const { sink, all } = collecting((chunk, taken) => {
    const before = digestOf(chunk);
    setTimeout(() => {
      if (digestOf(chunk) !== before) changed.push(chunk.byteOffset);
      taken();
    }, 2);
  });
  await new FileSending({ fd, range: everything, sink, pool: createBufferPool(), signal: here }).run();
  t.same(changed, []);
  t.equal(digestOf(all()), digestOf(bytes));
});

test('without room in the pool, and to a slow sink, small chunks are sent', async (t) => {
  const { fd } = await opened(t);
  const pool = createBufferPool();
  const crowded = collecting();
  const full = createBufferPool({ maxBytes: 0 });
  await new FileSending({ fd, range: everything, sink: crowded.sink, pool: full, signal: here }).run();
  t.equal(digestOf(crowded.all()), digestOf(bytes));
  let nowMs = 0;
  const minuteLater = (): number => {
    nowMs += 60_000;
    return nowMs;
  };
  t.intercept(performance, 'now', { value: minuteLater });
  const slow = collecting((_chunk, taken) => {
    setImmediate(() => {
      taken();
      if (slow.chunks.length > 2) t.equal(pool.usedBytes, 0);
    });
  });
  await new FileSending({ fd, range: everything, sink: slow.sink, pool, signal: here }).run();
  t.equal(slow.chunks[0]?.byteLength, pool.bufferBytes);
  t.equal(slow.chunks[3]?.byteLength, crowded.chunks[3]?.byteLength);
  t.equal(digestOf(slow.all()), digestOf(bytes));
});

test('a client that leaves, at each chunk, leaves no buffer behind', async (t) => {
  const { fd } = await opened(t);
  const pool = createBufferPool();
  for (const when of ['before', 'within', 'after'] as const) {
    for (let at = 1; at < 5; at += 1) {
      const leaving = new AbortController();
      const { sink, chunks } = collecting((_chunk, taken) => {
        const gone = (): void => leaving.abort(new Error('the client is gone'));
        if (chunks.length === at && when === 'before') gone();
        setImmediate(() => {
          if (chunks.length === at && when === 'within') gone();
          taken();
          if (chunks.length === at && when === 'after') gone();
        });
      });
      const { signal } = leaving;
      const sending = new FileSending({ fd, range: everything, sink, pool, signal });
      await t.rejects(sending.run(), { message: 'the client is gone' });
      t.equal(pool.usedBytes, 0);
    }
  }
});

test('nothing is sent to a client that has left', async (t) => {
  const { fd } = await opened(t);
  const { sink, chunks } = collecting();
  const signal = AbortSignal.abort(new Error('the client is gone'));
  const sending = new FileSending({ fd, range: everything, sink, pool: createBufferPool(), signal });
  await t.rejects(sending.run(), { message: 'the client is gone' });
  t.same(chunks, []);
});

test('what the sink fails with, or throws, ends the sending', async (t) => {
  const { fd } = await opened(t);
  const pool = createBufferPool();
  const failing: Take[] = [
    (_chunk, taken) => setImmediate(() => taken(new Error('broken'))),
    () => {
      throw new Error('broken');
    },
  ];
  for (const take of failing) {
    const { sink, chunks } = collecting(take);
    const sending = new FileSending({ fd, range: everything, sink, pool, signal: here });
    await t.rejects(sending.run(), { message: 'broken' });
    t.equal(chunks.length, 1);
    t.equal(pool.usedBytes, 0);
  }
});

test('a file that ends early is UPSTREAM_INVALID after its last byte', async (t) => {
  const { fd } = await opened(t);
  const { sink, all } = collecting();
  const range = { start: 5, end: size };
  const sending = new FileSending({ fd, range, sink, pool: createBufferPool(), signal: here });
  await t.rejects(sending.run(), { code: 'UPSTREAM_INVALID' });
  t.equal(digestOf(all()), digestOf(bytes.subarray(5)));
});
