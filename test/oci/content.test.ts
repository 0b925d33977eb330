import { test } from 'tap';
import { bytesOf, collected, type Descriptor, verified } from '../../src/oci/content.ts';
import { digestOf, hexOf, parseDigest } from '../../src/oci/digest.ts';

const bytes = Buffer.from('some layer, in pieces');
const right: Descriptor = { digest: digestOf(bytes), size: bytes.byteLength };

async function* pieces(body: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.byteLength; at += 5) yield body.subarray(at, at + 5);
}

async function seenOf(body: AsyncIterable<Uint8Array>): Promise<{ seen: number; error?: unknown }> {
  let seen = 0;
  try {
    for await (const chunk of body) seen += chunk.byteLength;
    return { seen };
  } catch (error) {
    return { seen, error };
  }
}

test('right bytes pass unchanged, in sha256 and sha512', async (t) => {
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const descriptor = { digest: digestOf(bytes, algorithm), size: bytes.byteLength };
    t.same(Buffer.from(await collected(verified(pieces(bytes), descriptor), 1000)), bytes);
  }
});

test('wrong bytes never come whole: the last piece is withheld', async (t) => {
  const wrong = Buffer.from(bytes).fill('x', 0, 1);
  t.match(await seenOf(verified(pieces(wrong), right)), { seen: 20, error: { code: 'UPSTREAM_INVALID' } });
});

test('too few and too many bytes throw', async (t) => {
  t.match(await seenOf(verified(pieces(bytes.subarray(1)), right)), { error: { code: 'UPSTREAM_INVALID' } });
  t.match(await seenOf(verified(pieces(bytes), { ...right, size: 3 })), {
    seen: 0,
    error: { code: 'UPSTREAM_INVALID' },
  });
});

test('nothing at all has a digest too', async (t) => {
  const empty = { digest: digestOf(new Uint8Array()), size: 0 };
  t.same(await seenOf(verified(bytesOf(new Uint8Array()), empty)), { seen: 0 });
  t.match(await seenOf(verified(bytesOf(new Uint8Array()), { ...right, size: 0 })), {
    error: { code: 'UPSTREAM_INVALID' },
  });
});

test('a body of its limit is collected, and none that has a byte more', async (t) => {
  t.same(Buffer.from(await collected(pieces(bytes), bytes.byteLength)), bytes);
  await t.rejects(collected(pieces(bytes), bytes.byteLength - 1), { code: 'SIZE_INVALID' });
});

test('only whole digests parse', async (t) => {
  t.equal(parseDigest(right.digest), right.digest);
  for (const wrong of [
    `${right.digest}0`,
    right.digest.slice(0, -1),
    `sha256:${hexOf(right.digest).toUpperCase()}`,
  ])
    t.throws(() => parseDigest(wrong), { code: 'DIGEST_INVALID' }, wrong);
});

test('more bytes than were stated are refused, also where their digest is right', async (t) => {
  const body = verified(bytesOf(bytes), { ...right, size: bytes.byteLength - 1 });
  await t.rejects(collected(body, 100), { code: 'UPSTREAM_INVALID' });
});
