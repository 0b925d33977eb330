import { Readable } from 'node:stream';
import { test } from 'tap';
import { objectBytes } from '../../../src/store/s3/s3-body.ts';

test('the time that this process stood still makes no body of S3 slow', async (t) => {
  let stoodMs = 0;
  const { now } = performance;
  performance.now = () => now.call(performance) + stoodMs;
  t.teardown(() => {
    performance.now = now;
  });
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from('some, ');
    stoodMs = 20_000;
    yield Buffer.from('and ');
    yield Buffer.from('more');
  }
  const limits = { length: 14, stallMs: 3_000, leastBytesPerSecond: 32 * 1024 };
  let text = '';
  for await (const chunk of objectBytes(Readable.from(chunks()), limits)) text += Buffer.from(chunk);
  t.equal(text, 'some, and more');
});
