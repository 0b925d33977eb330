import { type Test, test } from 'tap';
import { type Bytes, type Content, collected, type Descriptor } from '../../src/oci/content.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../src/oci/reference.ts';
import { memberKey, repositoryTagsPrefix, tagKey } from '../../src/store/keys.ts';
import type { Store } from '../../src/store/store.ts';

/** What every store promises, tested on an empty one that `make` builds for each fact. */
export function storeSuite(kind: Store['kind'], make: (t: Test) => Promise<Store>): void {
  const fact = (name: string, check: (t: Test, store: Store) => Promise<void>): void => {
    test(`${kind}: ${name}`, async (t) => {
      const store = await make(t);
      t.teardown(() => store.close());
      await check(t, store);
    });
  };
  readingFacts(fact);
  writingFacts(fact);
  recordFacts(fact);
}

type Fact = (name: string, check: (t: Test, store: Store) => Promise<void>) => void;

const small = Buffer.from('a small blob');
/** Several chunks on every medium, and no multiple of any buffer. */
export const large = patterned(3 * 1024 * 1024 + 17);

function readingFacts(fact: Fact): void {
  fact('what was put is what is read', async (t, { blobs }) => {
    for (const [bytes, algorithm] of [
      [small, 'sha256'],
      [small, 'sha512'],
      [large, 'sha256'],
    ] as const) {
      const descriptor = { digest: digestOf(bytes, algorithm), size: bytes.byteLength };
      await blobs.put(descriptor, pieces(bytes));
      t.match(await blobs.stat(descriptor.digest), descriptor);
      const content = await blobs.open(descriptor.digest);
      t.match(content?.descriptor, descriptor);
      t.ok(bytes.equals(await whole(content)));
    }
  });

  fact('an empty blob is a blob', async (t, { blobs }) => {
    const descriptor = described(Buffer.alloc(0));
    await blobs.put(descriptor, pieces(Buffer.alloc(0)));
    t.match(await blobs.stat(descriptor.digest), { size: 0 });
    t.equal((await whole(await blobs.open(descriptor.digest))).byteLength, 0);
  });

  fact('a range is exactly the bytes from start to end', async (t, { blobs }) => {
    const { digest, size } = described(large);
    await blobs.put({ digest, size }, pieces(large));
    for (const range of [
      { start: 0, end: 0 },
      { start: 1_000_000, end: 2_500_000 },
      { start: size - 1, end: size - 1 },
      { start: 0, end: size - 1 },
    ]) {
      const content = await blobs.open(digest, { range });
      t.same(content?.range, range);
      t.match(content?.descriptor, { digest, size });
      t.ok(large.subarray(range.start, range.end + 1).equals(await whole(content)));
    }
  });

  fact('what is not there is undefined, not an error', async (t, { blobs }) => {
    const { digest } = described(small);
    t.equal(await blobs.stat(digest), undefined);
    t.equal(await blobs.open(digest), undefined);
    t.equal(await blobs.open(digest, { range: { start: 2, end: 3 } }), undefined);
    await t.resolves(blobs.delete(digest));
  });

  fact('what is deleted is gone, and who has it open reads on', async (t, { blobs }) => {
    const { digest, size } = described(large);
    await blobs.put({ digest, size }, pieces(large));
    const content = await blobs.open(digest);
    await blobs.delete(digest);
    t.equal(await blobs.stat(digest), undefined);
    t.equal(await blobs.open(digest), undefined);
    t.ok(large.equals(await whole(content)));
  });

  fact('everything that is kept is listed', async (t, { blobs }) => {
    const kept = [small, large, Buffer.from('third')];
    for (const bytes of kept) await blobs.put(described(bytes), pieces(bytes));
    const listed = new Set<string>();
    for await (const { digest, size, storedAt } of blobs.list()) {
      listed.add(`${digest} ${size}`);
      t.ok(Math.abs(Date.now() - storedAt) < 60_000);
    }
    t.same(listed, new Set(kept.map((bytes) => `${described(bytes).digest} ${bytes.byteLength}`)));
  });

  fact('a listing is in the order of the digests, and may begin behind any of them', async (t, { blobs }) => {
    const kept = Array.from({ length: 20 }, (_, index) => Buffer.from(`number ${index}`));
    for (const bytes of kept) await blobs.put(described(bytes), pieces(bytes));
    const digests = kept.map((bytes) => described(bytes).digest).sort((a, b) => (a < b ? -1 : 1));
    for (const [index, after] of digests.entries()) {
      const listed = (await all(blobs.list({ after }))).map(({ digest }) => digest);
      t.same(listed, digests.slice(index + 1));
    }
    t.same(
      (await all(blobs.list())).map(({ digest }) => digest),
      digests,
    );
  });

  fact('unread content can be closed, twice', async (t, { blobs }) => {
    const descriptor = described(large);
    await blobs.put(descriptor, pieces(large));
    const content = await blobs.open(descriptor.digest);
    await content?.close();
    await t.resolves(content?.close() ?? Promise.reject(new Error('not open')));
  });

  fact('a reader may leave early', async (t, { blobs }) => {
    const descriptor = described(large);
    await blobs.put(descriptor, pieces(large));
    const content = await blobs.open(descriptor.digest);
    for await (const chunk of content?.body ?? []) {
      t.ok(chunk.byteLength > 0);
      break;
    }
    t.ok(large.equals(await whole(await blobs.open(descriptor.digest))));
  });

  fact('an aborted read throws', async (t, { blobs }) => {
    const descriptor = described(large);
    await blobs.put(descriptor, pieces(large));
    const reader = new AbortController();
    const content = await blobs.open(descriptor.digest, { signal: reader.signal });
    reader.abort(new Error('the reader is gone'));
    await t.rejects(whole(content));
  });
}

function writingFacts(fact: Fact): void {
  fact('bytes that do not match are refused and never visible', async (t, { blobs }) => {
    const { digest, size } = described(large);
    const wrong = Buffer.from(large);
    wrong[size - 1] = (wrong[size - 1] ?? 0) ^ 1;
    for (const bytes of [wrong, large.subarray(1), Buffer.concat([large, small]), Buffer.alloc(0)]) {
      await t.rejects(blobs.put({ digest, size }, pieces(bytes)), { code: 'UPSTREAM_INVALID' });
      t.equal(await blobs.stat(digest), undefined);
      t.equal(await blobs.open(digest), undefined);
    }
    t.same(await all(blobs.list()), []);
  });

  fact('nothing is visible before the last byte was checked', async (t, { blobs }) => {
    const descriptor = described(large);
    const seen: unknown[] = [];
    async function* watched(): Bytes {
      for await (const chunk of pieces(large)) {
        yield chunk;
        seen.push(await blobs.open(descriptor.digest));
      }
    }
    await blobs.put(descriptor, watched());
    t.ok(seen.length > 3);
    t.ok(seen.every((content) => content === undefined));
    t.ok(large.equals(await whole(await blobs.open(descriptor.digest))));
  });

  fact('a source that breaks leaves nothing and its error passes', async (t, { blobs }) => {
    const descriptor = described(large);
    async function* broken(): Bytes {
      yield large.subarray(0, 2_000_000);
      throw new Error('the source broke');
    }
    await t.rejects(blobs.put(descriptor, broken()), { message: 'the source broke' });
    t.equal(await blobs.stat(descriptor.digest), undefined);
  });

  fact('an aborted put leaves nothing', async (t, { blobs }) => {
    const descriptor = described(large);
    const writer = new AbortController();
    async function* aborting(): Bytes {
      yield large.subarray(0, 1_000_000);
      writer.abort(new Error('shut down'));
      yield large.subarray(1_000_000);
    }
    await t.rejects(blobs.put(descriptor, aborting(), { signal: writer.signal }));
    t.equal(await blobs.stat(descriptor.digest), undefined);
  });

  fact('what is there already may be put again, by several at once', async (t, { blobs }) => {
    const descriptor = described(large);
    await Promise.all([1, 2, 3].map(() => blobs.put(descriptor, pieces(large))));
    await blobs.put(descriptor, pieces(large));
    t.ok(large.equals(await whole(await blobs.open(descriptor.digest))));
  });

  fact('a sweep takes nothing from those at work', async (t, { blobs, sweep }) => {
    const descriptor = described(large);
    async function* swept(): Bytes {
      yield large.subarray(0, 1_500_000);
      t.equal(await sweep(), 0);
      yield large.subarray(1_500_000);
    }
    await blobs.put(descriptor, swept());
    t.ok(large.equals(await whole(await blobs.open(descriptor.digest))));
  });

  fact('a working store says that it is usable', async (t, store) => {
    t.equal(await store.isUsable(), true);
    t.same(await all(store.blobs.list()), []);
  });
}

function recordFacts(fact: Fact): void {
  const tag = tagKey('localhost:5000', parseRepository('a/b'), parseTag('_'.repeat(128)));

  fact('a record is read as it was written', async (t, { records }) => {
    t.equal(await records.get(tag), undefined);
    const first = await records.put(tag, Buffer.from('1'));
    const read = await records.get(tag);
    t.equal(read?.version, first);
    t.equal(Buffer.from(read?.bytes ?? []).toString(), '1');
    const second = await records.put(tag, Buffer.from('2'));
    t.not(second, first);
    t.equal((await records.get(tag))?.version, second);
    await records.delete(tag);
    t.equal(await records.get(tag), undefined);
    await t.resolves(records.delete(tag));
  });

  fact('of many who write a record that must be absent one succeeds', async (t, { records }) => {
    const attempts = Array.from({ length: 8 }, (_, index) =>
      records.put('v1/leases/one', Buffer.from(`${index}`), { ifVersion: 'absent' }),
    );
    const versions = (await Promise.all(attempts)).filter((version) => version !== undefined);
    t.equal(versions.length, 1);
    t.equal((await records.get('v1/leases/one'))?.version, versions[0]);
  });

  fact('of many who replace one version of a record one succeeds', async (t, { records }) => {
    const version = (await records.put('v1/leases/one', Buffer.from('first'))) ?? '';
    const attempts = Array.from({ length: 8 }, (_, index) =>
      records.put('v1/leases/one', Buffer.from(`${index}`), { ifVersion: version }),
    );
    t.equal((await Promise.all(attempts)).filter((written) => written !== undefined).length, 1);
    t.equal(await records.put('v1/leases/one', Buffer.from('late'), { ifVersion: version }), undefined);
    t.equal(await records.put('v1/leases/two', Buffer.from('x'), { ifVersion: version }), undefined);
  });

  fact('records are listed by what their keys begin with', async (t, { records }) => {
    const scope = ['quay.io', parseRepository('openshift/ci')] as const;
    const below = tagKey('quay.io', parseRepository('openshift/ci/below'), parseTag('x'));
    const member = memberKey(...scope, digestOf(small));
    const tags = ['4.20', '4.21', 'latest'].map((name) => tagKey(...scope, parseTag(name)));
    for (const key of [...tags, below, member]) await records.put(key, small);
    const keys = async (prefix: string) => new Set((await all(records.list(prefix))).map(({ key }) => key));
    t.same(await keys(repositoryTagsPrefix(...scope)), new Set(tags));
    t.same(await keys(`${repositoryTagsPrefix(...scope)}4.2`), new Set(tags.slice(0, 2)));
    t.same(await keys('v1/tags/'), new Set([...tags, below]));
    t.same(await keys('v1/members/'), new Set([member]));
    t.same(await keys('v1/usage/'), new Set());
    t.match(await all(records.list('v1/members/')), [{ key: member, size: small.byteLength }]);
  });
}

/** Bytes without a short period, so that a chunk in the wrong place shows. */
export function patterned(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4) bytes.writeUInt32LE((at * 2654435761) >>> 0, Math.min(at, size - 4));
  return bytes;
}

/**
 * The bytes in borrowed chunks of uneven size: all in one buffer that is overwritten for the next.
 */
export async function* pieces(bytes: Uint8Array): Bytes {
  const lent = Buffer.alloc(300_001);
  for (let at = 0; at < bytes.byteLength; at += lent.byteLength) {
    const piece = bytes.subarray(at, at + lent.byteLength);
    lent.fill(0xee).set(piece);
    yield lent.subarray(0, piece.byteLength);
  }
}

export function described(bytes: Uint8Array): Descriptor {
  return { digest: digestOf(bytes), size: bytes.byteLength };
}

export async function whole(content: Content | undefined): Promise<Uint8Array> {
  if (content === undefined) throw new Error('there is no such content');
  return await collected(content.body, Number.MAX_SAFE_INTEGER);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  return await Array.fromAsync(items);
}
