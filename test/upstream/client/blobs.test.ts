import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { app, blobIn, lines, pulled, refusalOf, rig } from '../rig.ts';

test('a blob comes with its size and every byte', async (t) => {
  const { registry, upstream, events } = await rig(t);
  const layer = blobIn(registry, 300_000);
  const opened = await upstream.openBlob(app, layer.digest);
  t.equal(opened?.size, 300_000);
  opened?.close();
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  const received = events.filter((line) => line.startsWith('received'));
  t.equal(
    received.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0),
    300_000,
  );
});

test('a part of a blob is asked for as a range', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 300_000);
  t.same(
    await pulled(upstream, layer.digest, { start: 1_000, end: 1_999 }),
    layer.bytes.subarray(1_000, 2_000),
  );
  t.equal(registry.requests[0]?.headers.range, 'bytes=1000-1999');
  t.equal(registry.requests[0]?.bytesSent, 1_000);
  t.equal(upstream.hasRanges, true);
});

test('an upstream that ignores ranges gives the part all the same, and is remembered', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 300_000);
  registry.switches.ignoresRange = true;
  t.same(await pulled(upstream, layer.digest, { start: 200_000 }), layer.bytes.subarray(200_000));
  t.same(await pulled(upstream, layer.digest, { start: 10, end: 19 }), layer.bytes.subarray(10, 20));
  t.equal(upstream.hasRanges, false);
});

test('a blob that is not there is undefined', async (t) => {
  const { registry, upstream } = await rig(t);
  blobIn(registry, 10);
  const digest = digestOf(Buffer.from('elsewhere'));
  t.equal(await upstream.openBlob(app, digest), undefined);
  t.equal(await upstream.statBlob(app, digest), undefined);
});

test('a blob is measured with one HEAD', async (t) => {
  const { registry, upstream } = await rig(t);
  const digest = registry.addBlob('team/app', Buffer.alloc(1_234));
  t.same(await upstream.statBlob(app, digest), { digest, size: 1_234 });
  t.same(lines(registry), ['HEAD blobs 200']);
});

for (const code of [401, 403, 405] as const) {
  test(`a registry that answers ${code} to HEAD is asked for one byte`, async (t) => {
    const { registry, upstream } = await rig(t);
    const digest = registry.addBlob('team/app', Buffer.alloc(1_234));
    registry.switches.refusesBlobHead = code;
    t.same(await upstream.statBlob(app, digest), { digest, size: 1_234 });
    t.same(lines(registry), [`HEAD blobs ${code}`, 'GET blobs 206']);
    t.equal(registry.requests[1]?.headers.range, 'bytes=0-0');
  });
}

test('a HEAD without a length, and ranges ignored, still tells the size', async (t) => {
  const { registry, upstream } = await rig(t);
  const digest = registry.addBlob('team/app', Buffer.alloc(1_234));
  Object.assign(registry.switches, { refusesBlobHead: 405, ignoresRange: true });
  t.same(await upstream.statBlob(app, digest), { digest, size: 1_234 });
});

test('an empty blob is measured and read', async (t) => {
  const { registry, upstream } = await rig(t);
  const digest = registry.addBlob('team/app', Buffer.alloc(0));
  t.same(await upstream.statBlob(app, digest), { digest, size: 0 });
  t.same(await pulled(upstream, digest), Buffer.alloc(0));
  registry.switches.refusesBlobHead = 401;
  t.same(await upstream.statBlob(app, digest), { digest, size: 0 });
});

test('a blob of unknown length is read to its end', async (t) => {
  const { registry, upstream } = await rig(t);
  const bytes = Buffer.alloc(300_000, 'abc');
  const digest = registry.addBlob('team/app', bytes);
  registry.switches.chunked = true;
  const opened = await upstream.openBlob(app, digest);
  t.equal(opened?.size, undefined);
  opened?.close();
  t.same(await pulled(upstream, digest), bytes);
});

for (const coding of ['gzip', 'x-gzip', 'Identity']) {
  test(`a whole blob that is said to be ${coding} is what its digest says`, async (t) => {
    const { registry, upstream } = await rig(t);
    const layer = blobIn(registry, 1_000);
    registry.switches.contentEncoding = coding;
    t.same(await pulled(upstream, layer.digest), layer.bytes);
  });
}

test('a part of a blob that is said to be coded is refused, and so is its length', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = blobIn(registry, 1_000);
  registry.switches.contentEncoding = 'gzip';
  t.equal((await refusalOf(upstream.openBlob(app, digest, { start: 5 }))).code, 'UPSTREAM_INVALID');
  t.equal((await refusalOf(upstream.statBlob(app, digest))).code, 'UPSTREAM_INVALID');
});

test('a HEAD length of 0 that cannot be is not believed', async (t) => {
  const { registry, upstream } = await rig(t);
  const digest = registry.addBlob('team/app', Buffer.alloc(1_234));
  const empty = registry.addBlob('team/app', Buffer.alloc(0));
  registry.switches.statesNoLength = true;
  t.same(await upstream.statBlob(app, digest), { digest, size: 1_234 });
  t.same(await upstream.statBlob(app, empty), { digest: empty, size: 0 });
  t.same(lines(registry), ['HEAD blobs 200', 'GET blobs 206', 'HEAD blobs 200']);
});

test('another digest in the header is a lie', async (t) => {
  const { registry, upstream } = await rig(t);
  const digest = registry.addBlob('team/app', Buffer.alloc(1_000));
  registry.switches.liesAboutDigest = true;
  t.equal((await refusalOf(upstream.openBlob(app, digest))).code, 'UPSTREAM_INVALID');
});

test('a page of HTML with status 200 is no blob', async (t) => {
  const { registry, upstream } = await rig(t);
  const digest = registry.addBlob('team/app', Buffer.alloc(1_000));
  registry.switches.answersHtml = true;
  t.equal((await refusalOf(upstream.openBlob(app, digest))).code, 'UPSTREAM_INVALID');
  t.equal((await refusalOf(upstream.statBlob(app, digest))).code, 'UPSTREAM_INVALID');
});

test('a reader that leaves ends the request, and its connection', async (t) => {
  const { registry, upstream } = await rig(t);
  const digest = registry.addBlob('team/app', Buffer.alloc(8_000_000));
  registry.switches.bytesPerSecond = 1_000_000;
  const opened = await upstream.openBlob(app, digest);
  for await (const chunk of opened?.body ?? []) {
    t.ok(chunk.byteLength > 0);
    break;
  }
  await upstream.close();
  t.ok((registry.requests[0]?.bytesSent ?? 0) < 8_000_000);
});

test('a signal ends a body with its own reason', async (t) => {
  const { registry, upstream } = await rig(t);
  const digest = registry.addBlob('team/app', Buffer.alloc(100_000));
  registry.switches.stallsAfter = { bytes: 50_000, times: 1 };
  const leaving = new AbortController();
  const opened = await upstream.openBlob(app, digest, { signal: leaving.signal });
  const reading = (async () => {
    for await (const chunk of opened?.body ?? []) if (chunk.byteLength > 0) leaving.abort(new Error('gone'));
  })();
  await t.rejects(reading, { message: 'gone' });
  t.equal(registry.requests.length, 1);
});

test('a connection is kept from one blob to the next', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 300_000);
  for (const part of [{}, { start: 5 }, { start: 0, end: 99 }, {}]) {
    await pulled(upstream, layer.digest, part);
    await setImmediate();
  }
  t.equal(new Set(registry.requests.map(({ clientPort }) => clientPort)).size, 1);
});

test('an unread blob can be closed, twice', async (t) => {
  const { registry, upstream } = await rig(t, { maxConcurrent: 1 });
  const digest = registry.addBlob('team/app', Buffer.alloc(5_000_000));
  const opened = await upstream.openBlob(app, digest);
  opened?.close();
  opened?.close();
  t.equal((await pulled(upstream, digest)).length, 5_000_000);
});
