import { test } from 'tap';
import {
  BrokenSource,
  type ByteSource,
  failoverRead,
  replaceable,
} from '../../../src/cache/fills/failover-read.ts';
import { bytesOf, mismatch } from '../../../src/oci/content.ts';
import { digester } from '../../../src/oci/digest.ts';
import { randomContent, readAll } from '../../support/bodies.ts';

const { bytes, descriptor } = randomContent(1_000);
const everything = { start: 0, end: 999 };
const part = ({ start, end }: { start: number; end: number }) => bytes.subarray(start, end + 1);
const right: ByteSource = (rest) => bytesOf(part(rest));

/** Delivers so many bytes, which nothing has verified, and breaks. */
function breaking(length: number, beginning: Uint8Array): ByteSource {
  return async function* () {
    const chunk = beginning.subarray(0, length);
    yield chunk;
    throw new BrokenSource('broken', { delivered: digester(descriptor.digest).update(chunk) });
  };
}

test('the next source goes on at the byte reached', async (t) => {
  const body = failoverRead(descriptor, everything, [breaking(400, bytes), right]);
  t.match(await readAll(body), { bytes });
});

test('a source that proves wrong before its first byte is replaced, and one after it is not', async (t) => {
  const wrong = (chunks: readonly Uint8Array[]) =>
    replaceable(
      (async function* () {
        yield* chunks;
        throw mismatch(descriptor, 1_000);
      })(),
    );
  const before = failoverRead(descriptor, everything, [() => wrong([]), right]);
  t.match(await readAll(before), { bytes });
  const after = failoverRead(descriptor, everything, [() => wrong([bytes.subarray(0, 1)]), right]);
  t.match(await readAll(after), { error: { code: 'UPSTREAM_INVALID' } });
});

test('what begins with wrong bytes of a source that broke is never completed', async (t) => {
  const wrong = Buffer.alloc(1_000);
  for (const sources of [
    [breaking(400, wrong), right],
    [breaking(400, wrong), breaking(0, bytes), right],
  ]) {
    const { bytes: got, error } = await readAll(failoverRead(descriptor, everything, sources));
    t.match(error, { code: 'UPSTREAM_INVALID' });
    t.equal(got.byteLength, 400);
  }
});

test('the last source to break is the failure, and what is no break is one at once', async (t) => {
  const broken = breaking(400, bytes);
  t.match((await readAll(failoverRead(descriptor, everything, [broken]))).error, { message: 'broken' });
  const failing: ByteSource = () => {
    throw new Error('another');
  };
  t.match((await readAll(failoverRead(descriptor, everything, [failing, right]))).error, {
    message: 'another',
  });
});
