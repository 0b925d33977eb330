import { test } from 'tap';
import type { Bytes } from '../../../src/oci/content.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { randomContent, readAll, until } from '../../support/bodies.ts';
import { type CacheRig, cacheRig } from '../../support/cache-rig.ts';

const size = 2_000_000;

async function rigWithBlob(t: Parameters<typeof cacheRig>[0], options?: Parameters<typeof cacheRig>[1]) {
  const rig = await cacheRig(t, options);
  const content = randomContent(size);
  const digest = rig.double.addBlob(rig.repository, content.bytes);
  return { rig, digest, bytes: content.bytes };
}

async function pulled(rig: CacheRig, digest: Digest) {
  const blob = await rig.registry.blobs.open(rig.repository, digest);
  return { hit: blob.hit, ...(await readAll(blob.read())) };
}

/** A store in memory: from `spoil` on its copies are so, and as large, until one is deleted. */
function spoiltStore(spoilt: (body: Bytes) => Bytes, bytes?: number) {
  const memory = createMemoryStore();
  let isSpoilt = false;
  const blobs: typeof memory.blobs = {
    ...memory.blobs,
    async stat(digest) {
      const found = await memory.blobs.stat(digest);
      return found === undefined || !isSpoilt ? found : { ...found, size: bytes ?? found.size };
    },
    async open(digest, options) {
      const content = await memory.blobs.open(digest, options);
      return content === undefined || !isSpoilt ? content : { ...content, body: spoilt(content.body) };
    },
    async delete(digest) {
      isSpoilt = false;
      await memory.blobs.delete(digest);
    },
  };
  const spoil = (): void => {
    isSpoilt = true;
  };
  return { store: { ...memory, blobs }, spoil };
}

test('a blob crosses the link once: cold, then warm', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  const cold = await pulled(rig, digest);
  t.equal(cold.hit, 'fill');
  t.ok(cold.bytes.equals(bytes));
  await rig.settled();
  const warm = await pulled(rig, digest);
  t.equal(warm.hit, 'store');
  t.ok(warm.bytes.equals(bytes));
  t.equal(rig.asked('/blobs/'), 1);
});

test('a herd of twenty on a cold blob is one upstream request', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  const joined = Promise.withResolvers<void>();
  rig.double.switches.holds = joined.promise;
  const pulls = Promise.all(Array.from({ length: 20 }, () => pulled(rig, digest)));
  await until(() => rig.events.filter(([name]) => name === 'joined').length === 19);
  joined.resolve();
  const herd = await pulls;
  t.ok(herd.every((one) => one.bytes.equals(bytes)));
  t.equal(rig.asked('GET /v2/openshift/ci/blobs/'), 1);
  t.equal(rig.asked('HEAD'), 0, 'and no request asked whether the blob belongs here');
  t.equal(herd.filter(({ hit }) => hit === 'joined').length, 19);
});

test('an upstream that cuts the body is resumed at the byte reached, unseen', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  rig.double.switches.dropsAfter = { bytes: 700_000, times: 1 };
  const { bytes: got, error } = await pulled(rig, digest);
  t.equal(error, undefined);
  t.ok(got.equals(bytes));
  t.match(rig.double.seen('/blobs/')[1]?.headers, { range: /^bytes=[1-9]\d*-1999999$/ });
});

test('an upstream that stalls is resumed too', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t, { silenceMs: 400 });
  rig.double.switches.stallsAfter = { bytes: 700_000, times: 1 };
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
});

test('no client gets wrong bytes whole, they are not stored, and the next pull is right', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  rig.double.switches.servesWrongBytes = true;
  const { bytes: got, error } = await pulled(rig, digest);
  t.match(error, { code: 'UPSTREAM_INVALID' });
  t.ok(got.byteLength < size);
  await rig.settled();
  t.equal(await rig.store.blobs.stat(digest), undefined);
  delete rig.double.switches.servesWrongBytes;
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
});

test('bytes that an upstream codes on the way are never stored, labelled ones are', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  rig.double.switches.gzips = true;
  const broken = await pulled(rig, digest).catch(() => undefined);
  t.notOk(broken?.bytes.length === size && broken.bytes.equals(bytes));
  await rig.settled();
  t.equal(await rig.store.blobs.stat(digest), undefined);
  Object.assign(rig.double.switches, { gzips: false, contentEncoding: 'x-gzip' });
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
  await rig.settled();
  t.match(await rig.store.blobs.stat(digest), { size });
});

test('a range far ahead of the download does not wait for it', async (t) => {
  const { rig } = await rigWithBlob(t);
  const large = randomContent(20_000_000);
  const digest = rig.double.addBlob(rig.repository, large.bytes);
  rig.double.switches.bytesPerSecond = 1_000_000;
  const blob = await rig.registry.blobs.open(rig.repository, digest);
  const range = { start: 19_000_000, end: 19_000_099 };
  t.ok((await readAll(blob.read(range))).bytes.equals(large.bytes.subarray(19_000_000, 19_000_100)));
  t.match(rig.double.seen('/blobs/')[1]?.headers, { range: 'bytes=19000000-19000099' });
});

test('a range near the download waits for it and costs no request', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  const blob = await rig.registry.blobs.open(rig.repository, digest);
  const range = { start: size - 1_000, end: size - 1 };
  t.ok((await readAll(blob.read(range))).bytes.equals(bytes.subarray(size - 1_000)));
  t.equal(rig.asked('/blobs/'), 1);
});

test('without room in the spool the blob passes through, verified and not kept', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t, { spoolBytes: 1_000 });
  const { hit, bytes: got } = await pulled(rig, digest);
  t.equal(hit, 'upstream');
  t.ok(got.equals(bytes));
  t.equal(await rig.store.blobs.stat(digest), undefined);
  rig.double.switches.servesWrongBytes = true;
  t.match(await pulled(rig, digest), { error: { code: 'UPSTREAM_INVALID' } });
});

test('a stored blob that was cut short is completed from the upstream and repaired', async (t) => {
  const memory = createMemoryStore();
  let cut = false;
  const blobs: typeof memory.blobs = {
    ...memory.blobs,
    async open(digest, options) {
      const content = await memory.blobs.open(digest, options);
      if (!cut || content === undefined || options?.range?.start !== 0) return content;
      return { ...content, body: head(content.body, 500_000) };
    },
  };
  const { rig, digest, bytes } = await rigWithBlob(t, { store: { ...memory, blobs } });
  await pulled(rig, digest);
  await rig.settled();
  cut = true;
  const { bytes: got, error } = await pulled(rig, digest);
  t.equal(error, undefined);
  t.ok(got.equals(bytes));
  t.ok(rig.events.some(([name]) => name === 'repaired'));
  await rig.settled();
  t.ok(await memory.blobs.stat(digest), 'it is stored again');
});

test('a stored blob that is lost or unreadable is fetched again in the same answer', async (t) => {
  for (const failure of ['lost', 'unreadable'] as const) {
    const memory = createMemoryStore();
    let broken = false;
    const blobs: typeof memory.blobs = {
      ...memory.blobs,
      open: async (digest, options) => {
        if (!broken) return memory.blobs.open(digest, options);
        if (failure === 'unreadable') throw new Error('store down');
        return undefined;
      },
    };
    const { rig, digest, bytes } = await rigWithBlob(t, { store: { ...memory, blobs } });
    await pulled(rig, digest);
    await rig.settled();
    broken = true;
    t.ok((await pulled(rig, digest)).bytes.equals(bytes), failure);
  }
});

test('a stored blob that was garbled is never completed, is removed, and the next pull is right', async (t) => {
  const { store, spoil } = spoiltStore(zeroed);
  const { rig, digest, bytes } = await rigWithBlob(t, { store });
  await pulled(rig, digest);
  await rig.settled();
  spoil();
  const { bytes: got, error } = await pulled(rig, digest);
  t.match(error, { code: 'UPSTREAM_INVALID' });
  t.ok(got.byteLength < size);
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
});

test('a copy that turns bad after it was read is noticed at the next read, where each is verified', async (t) => {
  const { store, spoil } = spoiltStore(zeroed);
  const { rig, digest, bytes } = await rigWithBlob(t, { store, verifies: 'always' });
  for (let pull = 0; pull < 3; pull += 1) {
    t.ok((await pulled(rig, digest)).bytes.equals(bytes));
    await rig.settled();
  }
  spoil();
  const { bytes: got, error } = await pulled(rig, digest);
  t.match(error, { code: 'UPSTREAM_INVALID' });
  t.ok(got.byteLength < size);
  t.equal(await store.blobs.stat(digest), undefined, 'it is gone');
  t.match(await pulled(rig, digest), { hit: 'fill', bytes });
});

for (const beginning of ['right', 'wrong'] as const) {
  test(`a copy that breaks off after a ${beginning} beginning is continued, and the whole verified`, async (t) => {
    const { store, spoil } = spoiltStore((body) => {
      const begun = head(body, 700_000);
      return beginning === 'right' ? begun : zeroed(begun);
    });
    const { rig, digest, bytes } = await rigWithBlob(t, { store, verifies: 'always' });
    await pulled(rig, digest);
    await rig.settled();
    spoil();
    const { bytes: got, error } = await pulled(rig, digest);
    t.match(error, beginning === 'right' ? undefined : { code: 'UPSTREAM_INVALID' });
    t.equal(got.equals(bytes), beginning === 'right');
    t.equal(
      got.byteLength === size,
      beginning === 'right',
      'wrong bytes are never completed with right ones',
    );
  });
}

test('a stored blob of another size than its manifest states is checked before it is served', async (t) => {
  const { store, spoil } = spoiltStore((body) => head(body, 10), 10);
  const { rig, digest, bytes } = await rigWithBlob(t, { store });
  await pulled(rig, digest);
  await rig.settled();
  spoil();
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
});

test('a stored blob that was right once and is short now is fetched again', async (t) => {
  const { store, spoil } = spoiltStore((body) => head(body, 300_000), 300_000);
  const { rig, digest, bytes } = await rigWithBlob(t, { store });
  await pulled(rig, digest);
  await rig.settled();
  await pulled(rig, digest);
  spoil();
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
});

test('small content is checked when it is read, and then kept in memory', async (t) => {
  const rig = await cacheRig(t);
  const content = randomContent(1_000);
  const digest = rig.double.addBlob(rig.repository, content.bytes);
  await pulled(rig, digest);
  await rig.settled();
  t.equal((await pulled(rig, digest)).hit, 'store');
  t.equal((await pulled(rig, digest)).hit, 'memory');
  t.equal(rig.asked('/blobs/'), 1);
});

test('knowing a digest is no right to it: another repository asks its upstream first', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  await pulled(rig, digest);
  await rig.settled();
  const other = parseRepository('other/place');
  await t.rejects(rig.registry.blobs.open(other, digest), { code: 'BLOB_UNKNOWN' });
  await t.rejects(rig.registry.blobs.stat(other, digest), { code: 'BLOB_UNKNOWN' });
  t.equal(rig.asked('HEAD /v2/other/place/blobs/'), 1, 'and the "no" is remembered for a while');
  rig.pass(6_000);
  rig.double.addBlob(other, bytes);
  const blob = await rig.registry.blobs.open(other, digest);
  t.equal(blob.hit, 'store', 'once confirmed it is served without crossing the link again');
  t.equal(rig.asked('GET /v2/other/place/blobs/'), 0);
});

test('another repository may not even join a running download before it is confirmed', async (t) => {
  const { rig, digest } = await rigWithBlob(t);
  rig.double.switches.bytesPerSecond = 1_000_000;
  await rig.registry.blobs.open(rig.repository, digest);
  await t.rejects(rig.registry.blobs.open(parseRepository('other/place'), digest), { code: 'BLOB_UNKNOWN' });
});

test('a download or a copy that turns up while the store is being asked is no right either', async (t) => {
  for (const pace of ['running', 'stored'] as const) {
    const memory = createMemoryStore();
    let during: (() => Promise<void>) | undefined;
    const blobs: typeof memory.blobs = {
      ...memory.blobs,
      async stat(digest) {
        const found = await memory.blobs.stat(digest);
        const act = during;
        during = undefined;
        await act?.();
        return found;
      },
    };
    const { rig, digest } = await rigWithBlob(t, { store: { ...memory, blobs } });
    during = async () => {
      if (pace === 'running') rig.double.switches.bytesPerSecond = 1_000_000;
      await rig.registry.blobs.open(rig.repository, digest);
      if (pace === 'stored') await rig.settled();
    };
    const other = parseRepository('other/place');
    await t.rejects(rig.registry.blobs.open(other, digest), { code: 'BLOB_UNKNOWN' }, pace);
    await t.rejects(
      rig.registry.blobs.stat(other, digest),
      { code: 'BLOB_UNKNOWN' },
      'and nothing was noted',
    );
  }
});

test('a digest that is no manifest may well be a blob, and the other way round', async (t) => {
  const rig = await cacheRig(t);
  const { bytes } = randomContent(1_000);
  const blob = rig.double.addBlob(rig.repository, bytes);
  await t.rejects(rig.registry.manifests.resolve(rig.repository, { digest: blob }), {
    code: 'MANIFEST_UNKNOWN',
  });
  t.ok((await pulled(rig, blob)).bytes.equals(bytes));
  const { digest: manifest } = rig.double.addImage(rig.repository, 'latest');
  await t.rejects(rig.registry.blobs.open(rig.repository, manifest), { code: 'BLOB_UNKNOWN' });
  t.ok(await rig.registry.manifests.resolve(rig.repository, { digest: manifest }));
});

test('an empty blob is pulled, kept or passed through, like any other', async (t) => {
  for (const directory of [undefined, '/dev/null/nowhere']) {
    const rig = await cacheRig(t, directory === undefined ? {} : { spoolDirectory: directory });
    const digest = rig.double.addBlob(rig.repository, Buffer.alloc(0));
    const { hit, bytes, error } = await pulled(rig, digest);
    t.equal(hit, directory === undefined ? 'fill' : 'upstream');
    t.equal(error, undefined);
    t.equal(bytes.byteLength, 0);
    t.notOk(rig.double.seen('GET')[1]?.headers.range?.includes('--'), 'and no impossible range is asked for');
  }
});

test('an upstream that calls a blob empty is not believed before the digest fits', async (t) => {
  const rig = await cacheRig(t);
  const { digest } = randomContent(size).descriptor;
  rig.double.addBlob(rig.repository, Buffer.alloc(0), digest);
  await t.rejects(rig.registry.blobs.open(rig.repository, digest), { code: 'UPSTREAM_INVALID' });
});

test('a blob without a source is BLOB_UNKNOWN, and requested only now and then', async (t) => {
  const rig = await cacheRig(t);
  const { digest } = randomContent(10).descriptor;
  await t.rejects(rig.registry.blobs.open(rig.repository, digest), { code: 'BLOB_UNKNOWN' });
  await t.rejects(rig.registry.blobs.open(rig.repository, digest), { code: 'BLOB_UNKNOWN' });
  t.equal(rig.asked('/blobs/'), 1);
});

test('only what was there counts as used', async (t) => {
  const { rig, digest } = await rigWithBlob(t);
  const { digest: nowhere } = randomContent(10).descriptor;
  await t.rejects(rig.registry.blobs.open(rig.repository, nowhere));
  await t.rejects(rig.registry.manifests.resolve(rig.repository, { digest: nowhere }));
  t.same(rig.touched, []);
  await pulled(rig, digest);
  t.same(rig.touched, [digest]);
  await rig.settled();
  await pulled(rig, digest);
  t.same(rig.touched, [digest, digest]);
});

test('what is stored is served with the upstream down, also after a restart', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  await pulled(rig, digest);
  const registry = await rig.restarted();
  rig.double.switches.down = true;
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
  const blob = await registry.blobs.open(rig.repository, digest);
  t.ok((await readAll(blob.read())).bytes.equals(bytes), 'membership is on record');
});

test('what is not stored is a fast UNAVAILABLE with the upstream down', async (t) => {
  const { rig, digest } = await rigWithBlob(t);
  rig.double.switches.down = true;
  await t.rejects(rig.registry.blobs.open(rig.repository, digest), { code: 'UNAVAILABLE' });
});

test('a reader that leaves does not end the download', async (t) => {
  const { rig, digest } = await rigWithBlob(t);
  rig.double.switches.bytesPerSecond = 10_000_000;
  const blob = await rig.registry.blobs.open(rig.repository, digest);
  for await (const _chunk of blob.read()) break;
  await until(async () => (await rig.store.blobs.stat(digest)) !== undefined, 'the blob in the store');
  t.equal(rig.asked('/blobs/'), 1);
});

async function* head(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of body) {
    yield chunk.subarray(0, left);
    left -= chunk.byteLength;
    if (left <= 0) return;
  }
}

async function* zeroed(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) yield new Uint8Array(chunk.byteLength);
}

test('a size that the upstream once misstated is forgotten when the blob has been read', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  rig.double.switches.liesAboutLength = true;
  await rig.registry.blobs.stat(rig.repository, digest);
  delete rig.double.switches.liesAboutLength;
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
  await rig.settled();
  t.equal((await rig.registry.blobs.stat(rig.repository, digest)).descriptor.size, size);
});

test('a misstated size is forgotten once the bytes proved right, whatever the store does', async (t) => {
  const store = createMemoryStore();
  const asked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<never>();
  const put = async () => {
    asked.resolve();
    return await answered.promise;
  };
  const { rig, digest, bytes } = await rigWithBlob(t, {
    store: { ...store, blobs: { ...store.blobs, put } },
  });
  rig.double.switches.liesAboutLength = true;
  await rig.registry.blobs.stat(rig.repository, digest);
  delete rig.double.switches.liesAboutLength;
  t.ok((await pulled(rig, digest)).bytes.equals(bytes));
  await asked.promise;
  const stated = async () => (await rig.registry.blobs.stat(rig.repository, digest)).descriptor.size;
  t.equal(await stated(), size, 'while the store keeps it');
  answered.reject(new Error('the bucket is full'));
  await rig.settled();
  t.equal(await stated(), size, 'though the store did not keep it');
});

test('a misstated size neither cuts nor fails a blob for which the spool has no room', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t, { spoolBytes: 1_000 });
  rig.double.switches.liesAboutLength = true;
  await rig.registry.blobs.stat(rig.repository, digest);
  delete rig.double.switches.liesAboutLength;
  const passed = await pulled(rig, digest);
  t.equal(passed.hit, 'upstream');
  t.ok(passed.bytes.equals(bytes));
  t.equal((await rig.registry.blobs.stat(rig.repository, digest)).descriptor.size, size);
});

test('a misstated size does not outlive a stored copy of another', async (t) => {
  const { rig, digest, bytes } = await rigWithBlob(t);
  await pulled(rig, digest);
  await rig.settled();
  const elsewhere = parseRepository('openshift/other');
  rig.double.addBlob(elsewhere, bytes);
  rig.double.switches.liesAboutLength = true;
  await rig.registry.blobs.stat(elsewhere, digest);
  const blob = await rig.registry.blobs.open(elsewhere, digest);
  t.ok((await readAll(blob.read())).bytes.equals(bytes));
  t.equal((await rig.registry.blobs.stat(elsewhere, digest)).descriptor.size, size);
});
