import { test } from 'tap';
import { type Bytes, bytesOf, collected } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { createSentBytes } from '../../../src/upstream/push/sent-bytes.ts';
import { refusalOf } from '../rig.ts';
import { lentSource } from './writer-rig.ts';

test('pieces follow each other through one opening of the source', async (t) => {
  const { bytes, descriptor, open, opened } = lentSource(100_000);
  const sent = createSentBytes(descriptor, open);
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < 100_000; start += 30_000) {
    pieces.push(await collected(sent.from(start, 30_000), 30_000));
  }
  t.ok(Buffer.concat(pieces).equals(bytes));
  t.same(opened, [0]);
});

test('bytes that come again are not hashed again', async (t) => {
  const { bytes, descriptor, open, opened } = lentSource(100_000);
  const sent = createSentBytes(descriptor, open);
  await collected(sent.from(0, 70_000), 70_000);
  t.equal(sent.seen, 80_000, 'the source gave more than was wanted');
  t.ok(Buffer.from(await collected(sent.from(10_000), 90_000)).equals(bytes.subarray(10_000)));
  t.ok(Buffer.from(await collected(sent.from(0), 100_000)).equals(bytes));
  t.same(opened, [0, 10_000, 0]);
});

test('the source is let go of with its last byte, while the registry still thinks', async (t) => {
  const { bytes, descriptor } = lentSource(100_000);
  let isReleased = false;
  const sent = createSentBytes(descriptor, async () => {
    async function* source(): Bytes {
      try {
        yield bytes;
      } finally {
        isReleased = true;
      }
    }
    return source();
  });
  await collected(sent.from(0), 100_000);
  t.ok(isReleased);
});

test('small chunks go out in large ones', async (t) => {
  const { bytes, descriptor, open } = lentSource(1_000_000);
  const sizes: number[] = [];
  const copies: Uint8Array[] = [];
  for await (const chunk of createSentBytes(descriptor, open).from(0)) {
    sizes.push(chunk.byteLength);
    copies.push(new Uint8Array(chunk));
  }
  t.ok(Buffer.concat(copies).equals(bytes));
  t.ok(
    sizes.slice(0, -1).every((size) => size >= 128 * 1024),
    sizes.join(),
  );
});

test('the last chunk of a wrong blob is kept back', async (t) => {
  const { bytes } = lentSource(400_000);
  const wrong = { digest: digestOf(Buffer.from('other')), size: bytes.length };
  const sent = createSentBytes(wrong, async () => halves(bytes));
  let seen = 0;
  const read = async (): Promise<void> => {
    for await (const chunk of sent.from(0)) seen += chunk.byteLength;
  };
  const refusal = await refusalOf(read());
  t.equal(refusal.code, 'UPSTREAM_INVALID');
  t.equal(refusal, sent.failure);
  t.equal(seen, 200_000);
});

test('a chunk that comes after its request broke off is dropped', async (t) => {
  const { bytes, descriptor } = lentSource(400_000);
  const gate = Promise.withResolvers<void>();
  const isReleased = Promise.withResolvers<void>();
  const opens = [() => stuck(bytes, gate.promise, isReleased.resolve), () => bytesOf(bytes)];
  const sent = createSentBytes(descriptor, async () => opens.shift()?.() ?? bytesOf(bytes));
  const broken = sent.from(0)[Symbol.asyncIterator]();
  await broken.next();
  const late = refusalOf(Promise.resolve(broken.next()).then(({ value }) => value));
  const whole = await collected(sent.from(0), 400_000);
  gate.resolve();
  await isReleased.promise;
  await late.catch(() => undefined);
  t.ok(Buffer.from(whole).equals(bytes));
  t.equal(sent.failure, undefined);
});

test('a source that is not ours to name fails as unavailable', async (t) => {
  const { descriptor } = lentSource(10);
  const sent = createSentBytes(descriptor, () => Promise.reject(new Error('EIO')));
  t.match(await refusalOf(collected(sent.from(0), 10)), { code: 'UNAVAILABLE', cause: { message: 'EIO' } });
});

async function* halves(bytes: Buffer): Bytes & AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, bytes.length / 2);
  yield bytes.subarray(bytes.length / 2);
}

async function* stuck(
  bytes: Buffer,
  gate: Promise<void>,
  released: () => void,
): Bytes & AsyncGenerator<Uint8Array> {
  try {
    yield bytes.subarray(0, 200_000);
    await gate;
    yield bytes.subarray(200_000);
  } finally {
    released();
  }
}
