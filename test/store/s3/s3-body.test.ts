import { Readable } from 'node:stream';
import { type Test, test } from 'tap';
import { objectBytes } from '../../../src/store/s3/s3-body.ts';

const chunk = Buffer.alloc(8 * 1024);

/** Reads a body of S3 whose chunks come after so many milliseconds by our clock, and at once. */
async function read(t: Test, waitsMs: readonly number[]): Promise<number> {
  let passedMs = 0;
  const { now } = performance;
  performance.now = () => now.call(performance) + passedMs;
  t.teardown(() => {
    performance.now = now;
  });
  async function* chunks(): AsyncGenerator<Buffer> {
    for (const waitMs of [...waitsMs, 0]) {
      passedMs += waitMs;
      yield chunk;
    }
  }
  const length = (waitsMs.length + 1) * chunk.byteLength;
  const limits = { length, stallMs: 3_000, leastBytesPerSecond: 32 * 1024 };
  let bytes = 0;
  for await (const each of objectBytes(Readable.from(chunks()), limits)) bytes += each.byteLength;
  return bytes;
}

test('the time that this process stood still makes no body of S3 slow', async (t) => {
  for (const stoodMs of [20_000, 2_500]) t.equal(await read(t, [0, stoodMs, 0, 0]), 5 * chunk.byteLength);
});

test('a body of S3 that comes too slowly throws, however long each wait is', async (t) => {
  for (const waitMs of [500, 1_500, 2_900, 3_100])
    await t.rejects(read(t, Array<number>(8).fill(waitMs)), { code: 'UNAVAILABLE' });
});
