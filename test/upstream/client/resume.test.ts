import { test } from 'tap';
import { readSlowly } from '../../support/bodies.ts';
import { createOwnWatch } from '../../support/own-watch.ts';
import { app, blobIn, pulled, refusalOf, rig } from '../rig.ts';

test('a body that breaks off is resumed at the byte reached', async (t) => {
  const { registry, upstream, events } = await rig(t);
  const layer = blobIn(registry, 1_000_000);
  registry.switches.dropsAfter = { bytes: 300_000, times: 3 };
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  t.same(
    registry.requests.map(({ headers }) => headers.range),
    [undefined, 'bytes=300000-999999', 'bytes=600000-999999', 'bytes=900000-999999'],
  );
  const received = events.filter((line) => line.startsWith('received'));
  t.equal(
    received.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0),
    1_000_000,
  );
  t.equal(events.filter((line) => line === 'retried resume').length, 3);
});

test('a resumed body takes a fresh redirect, and a fresh token where the old one has ended', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000_000);
  registry.switches.redirectsBlobs = true;
  registry.switches.requiresToken = { expiresIn: 300 };
  registry.switches.dropsAfter = { bytes: 300_000, times: 1 };
  const opened = await upstream.openBlob(app, layer.digest);
  registry.revokeTokens();
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened?.body ?? []) chunks.push(new Uint8Array(chunk));
  t.same(Buffer.concat(chunks), layer.bytes);
  t.equal(registry.seen('/token').length, 2);
  t.equal(registry.requests.filter(({ status }) => status === 302).length, 2);
});

test('a body that stalls is given up and resumed', async (t) => {
  const { registry, upstream } = await rig(t, { progressTimeoutMs: 100 });
  const layer = blobIn(registry, 1_000_000);
  registry.switches.stallsAfter = { bytes: 500_000, times: 1 };
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  t.equal(registry.requests[1]?.headers.range, 'bytes=500000-999999');
});

test('a body that stalls is given up soon, and one that goes on stalling is given more and more time', async (t) => {
  const { registry, upstream } = await rig(t, { stallTimeoutMs: 30, progressTimeoutMs: 30_000 });
  const layer = blobIn(registry, 1_000_000);
  registry.switches.stallsAfter = { bytes: 250_000, times: 2 };
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  const rest = await upstream.openBlob(app, layer.digest);
  registry.switches.stallsAfter = { bytes: 0, times: 4 };
  const ownMs = createOwnWatch();
  const chunks: Uint8Array[] = [];
  for await (const chunk of rest?.body ?? []) chunks.push(new Uint8Array(chunk));
  t.same(Buffer.concat(chunks), layer.bytes);
  t.ok(ownMs() < 10_000);
});

test('a slow reader is not taken for a silent upstream', async (t) => {
  const { registry, upstream } = await rig(t, { progressTimeoutMs: 50 });
  const layer = blobIn(registry, 1_000_000);
  const opened = await upstream.openBlob(app, layer.digest);
  if (opened === undefined) throw new Error('the blob is absent');
  t.same(await readSlowly(opened.body, 150), layer.bytes);
  t.equal(registry.requests.length, 1);
});

test('where ranges are ignored, the bytes before are read and dropped', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000_000);
  registry.switches.ignoresRange = true;
  registry.switches.dropsAfter = { bytes: 600_000, times: 1 };
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  t.equal(upstream.hasRanges, false);
});

test('a part is resumed within its own bounds', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000_000);
  registry.switches.dropsAfter = { bytes: 10_000, times: 1 };
  const part = await pulled(upstream, layer.digest, { start: 100_000, end: 149_999 });
  t.same(part, layer.bytes.subarray(100_000, 150_000));
  t.equal(registry.requests[1]?.headers.range, 'bytes=110000-149999');
});

test('a body without progress is given up after so many tries', async (t) => {
  const { registry, upstream } = await rig(t, { resumes: 2, breaker: { failures: 100 } });
  const layer = blobIn(registry, 1_000_000);
  registry.switches.ignoresRange = true;
  registry.switches.dropsAfter = { bytes: 300_000, times: Number.POSITIVE_INFINITY };
  t.equal((await refusalOf(pulled(upstream, layer.digest))).code, 'UNAVAILABLE');
  t.equal(registry.requests.length, 3);
});

test('a throttled resume waits and goes on', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000_000);
  registry.switches.dropsAfter = { bytes: 300_000, times: 1 };
  const opened = await upstream.openBlob(app, layer.digest);
  registry.switches.throttles = 2;
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened?.body ?? []) chunks.push(new Uint8Array(chunk));
  t.same(Buffer.concat(chunks), layer.bytes);
});

test('a length that is a lie ends in a refusal, not in a wait', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000_000);
  registry.switches.liesAboutLength = true;
  t.equal((await refusalOf(pulled(upstream, layer.digest))).code, 'UPSTREAM_INVALID');
});

test('a blob that vanishes in the middle is refused', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000_000);
  registry.switches.dropsAfter = { bytes: 300_000, times: 1 };
  const opened = await upstream.openBlob(app, layer.digest);
  registry.switches.status = { of: 'blobs', code: 404 };
  const reading = (async () => {
    for await (const chunk of opened?.body ?? []) t.ok(chunk.byteLength);
  })();
  t.equal((await refusalOf(reading)).code, 'UPSTREAM_INVALID');
});
