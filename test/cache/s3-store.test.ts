import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type Test, test } from 'tap';
import { blobKey } from '../../src/cache/keys.ts';
import { partBytesOf } from '../../src/cache/s3-put.ts';
import { type S3StoreOptions, s3Store } from '../../src/cache/s3-store.ts';
import type { Bytes } from '../../src/oci/content.ts';
import { s3Double } from '../support/s3-double.ts';
import { all, described, large, patterned, pieces, storeSuite, whole } from './store-suite.ts';

storeSuite('s3', async (t) => (await made(t)).store);

const mib = 1024 * 1024;
const blob = described(large);

async function made(t: Test, options: Partial<S3StoreOptions> = {}) {
  const s3 = await s3Double();
  const files = t.testdir({ id: 'AKIDEXAMPLE\n', secret: 'a-secret-key\n' });
  const store = s3Store({
    bucket: 'blobs',
    endpoint: s3.endpoint,
    pathStyle: true,
    prefix: 'quayside/one',
    accessKeyIdFile: join(files, 'id'),
    secretAccessKeyFile: join(files, 'secret'),
    partBytes: mib,
    retries: 1,
    ...options,
  });
  t.teardown(async () => {
    await store.close();
    await s3.close();
  });
  return {
    s3,
    store,
    files,
    blobs: store.blobs,
    operations: () => s3.requests.splice(0).map((each) => each.operation),
  };
}

test('a warm stat asks S3 nothing, a read asks once, a redirect nothing', async (t) => {
  const { blobs, operations } = await made(t);
  const one = described(Buffer.from('one'));
  await blobs.put(one, pieces(Buffer.from('one')));
  t.same(operations(), ['PutObject']);
  await blobs.stat(one.digest);
  t.same(operations(), []);
  await whole(await blobs.open(one.digest));
  t.same(operations(), ['GetObject']);
  await blobs.redirectUrl(one.digest);
  t.same(operations(), []);
});

test('after a restart a stat asks once for all who wait, and then never', async (t) => {
  const { s3, blobs, operations } = await made(t);
  s3.objects.set(`quayside/one/${blobKey(blob.digest)}`, stored(large));
  const answers = await Promise.all(Array.from({ length: 20 }, () => blobs.stat(blob.digest)));
  t.ok(answers.every((answer) => answer?.size === blob.size));
  await blobs.stat(blob.digest);
  t.same(operations(), ['HeadObject']);
});

test('what is absent is asked for once in a few seconds, and found at once when we put it', async (t) => {
  const { blobs, operations } = await made(t);
  t.equal(await blobs.stat(blob.digest), undefined);
  t.equal(await blobs.stat(blob.digest), undefined);
  t.same(operations(), ['HeadObject']);
  await blobs.put(blob, pieces(large));
  t.same(await blobs.stat(blob.digest), blob);
});

test('a listing tells what is there, page by page', async (t) => {
  const { s3, blobs, operations } = await made(t);
  s3.switches.pageSize = 2;
  const bodies = ['1', '2', '3', '4', '5'].map((text) => Buffer.from(text));
  for (const body of bodies) s3.objects.set(`quayside/one/${blobKey(described(body).digest)}`, stored(body));
  t.equal((await all(blobs.list())).length, 5);
  t.same(operations(), ['ListObjectsV2', 'ListObjectsV2', 'ListObjectsV2']);
  for (const body of bodies) t.ok(await blobs.stat(described(body).digest));
  t.same(operations(), []);
});

test('an object that S3 lost is absent, and no longer believed in', async (t) => {
  const { s3, blobs } = await made(t);
  await blobs.put(blob, pieces(large));
  s3.switches.losesObjects = true;
  t.equal(await blobs.open(blob.digest), undefined);
  t.equal(await blobs.stat(blob.digest), undefined);
});

test('a redirect is a plain GET that S3 grants, with ranges, and is made once for a while', async (t) => {
  const { s3, blobs } = await made(t);
  await blobs.put({ ...blob, mediaType: 'application/vnd.oci.image.layer.v1.tar' }, pieces(large));
  const url = await blobs.redirectUrl(blob.digest);
  t.equal(await blobs.redirectUrl(blob.digest), url);
  t.match(url, /X-Amz-Expires=600/);
  t.notMatch(url, /checksum/i);
  const answer = await fetch(url, { headers: { range: 'bytes=5-9' } });
  t.equal(answer.status, 206);
  t.ok(large.subarray(5, 10).equals(await answer.bytes()));
  t.equal(s3.requests.at(-1)?.isPresigned, true);
});

test('a small blob is one call with its media type, and no checksum framing', async (t) => {
  const { s3, blobs } = await made(t);
  const config = Buffer.from('{}');
  await blobs.put(
    { ...described(config), mediaType: 'application/vnd.oci.image.config.v1+json' },
    pieces(config),
  );
  t.equal(s3.requests.length, 1);
  const { headers = {}, key } = s3.requests[0] ?? {};
  t.equal(headers['content-type'], 'application/vnd.oci.image.config.v1+json');
  t.equal(headers['content-length'], '2');
  t.notOk(Object.keys(headers).some((name) => name.includes('checksum')));
  t.notOk(headers['expect']);
  t.equal(key, `quayside/one/${blobKey(described(config).digest)}`);
});

test('wrong bytes of a small blob never leave for S3', async (t) => {
  const { s3, blobs } = await made(t);
  await t.rejects(blobs.put(described(Buffer.from('right')), pieces(Buffer.from('wrong'))));
  t.equal(s3.requests.length, 0);
});

test('a large blob is sent in parts while it comes, and completed after the last byte', async (t) => {
  const { s3, blobs, operations } = await made(t);
  const before: string[] = [];
  async function* watched(): Bytes {
    for await (const chunk of pieces(large)) yield chunk;
    before.push(...s3.requests.map(({ operation }) => operation));
  }
  await blobs.put(blob, watched());
  t.notOk(before.includes('CompleteMultipartUpload'));
  t.equal(operations().at(-1), 'CompleteMultipartUpload');
  t.equal(s3.uploads.size, 0);
});

test('a large blob whose bytes are wrong is aborted, never completed', async (t) => {
  const { s3, blobs, operations } = await made(t);
  await t.rejects(blobs.put(blob, pieces(Buffer.concat([large.subarray(1), Buffer.from('x')]))));
  const called = operations();
  t.notOk(called.includes('CompleteMultipartUpload'));
  t.equal(called.at(-1), 'AbortMultipartUpload');
  t.same([s3.objects.size, s3.uploads.size], [0, 0]);
});

test('a failed part, and a failed completion, abort the upload', async (t) => {
  const { s3, blobs } = await made(t);
  s3.switches.errorOnPart = 2;
  await t.rejects(blobs.put(blob, pieces(large)), { code: 'UNAVAILABLE' });
  t.same([s3.objects.size, s3.uploads.size], [0, 0]);
  s3.switches.errorOnPart = undefined;
  s3.switches.errorOnComplete = true;
  await t.rejects(blobs.put(blob, pieces(large)), { code: 'UNAVAILABLE' });
  t.same([s3.objects.size, s3.uploads.size], [0, 0]);
  t.equal(await blobs.stat(blob.digest), undefined);
});

test('however many are uploading, only so many parts are in memory', async (t) => {
  const { s3, blobs } = await made(t, { maxConcurrentParts: 2, maxSockets: 50 });
  const many = Array.from({ length: 6 }, (_, index) => patterned(3 * mib + index * 4));
  s3.switches.slowMs = 5;
  await Promise.all(many.map((bytes) => blobs.put(described(bytes), pieces(bytes))));
  for (const bytes of many) t.ok(bytes.equals(await whole(await blobs.open(described(bytes).digest))));
});

test('SlowDown is waited out; a throttled call is reported, and refused when it lasts', async (t) => {
  const events: string[] = [];
  const { s3, blobs } = await made(t, { events: { called: ({ outcome }) => events.push(outcome) } });
  const body = Buffer.from('body');
  s3.switches.slowDown = 1;
  await blobs.put(described(body), pieces(body));
  t.same(events, ['ok']);
  s3.switches.slowDown = 2;
  await t.rejects(blobs.open(described(body).digest), { code: 'UNAVAILABLE' });
  t.same(events, ['ok', 'throttled']);
});

test('an object that became shorter throws, whole or by range, and never ends normally', async (t) => {
  const { s3, blobs } = await made(t);
  await blobs.put(blob, pieces(large));
  s3.switches.truncatesObjects = 1000;
  const cut = (start: number, end: number) => blobs.open(blob.digest, { range: { start, end } }).then(whole);
  await t.rejects(cut(0, blob.size - 1), { code: 'UPSTREAM_INVALID' });
  await t.rejects(cut(999, 1000), { code: 'UPSTREAM_INVALID' });
  await t.rejects(cut(2000, 3000), { code: 'UPSTREAM_INVALID' });
  t.match((await blobs.open(blob.digest))?.descriptor, { size: 1000 });
});

test('a connection that breaks or stalls in the middle throws', async (t) => {
  const { s3, blobs } = await made(t, { stallMs: 50 });
  await blobs.put(blob, pieces(large));
  s3.switches.dropsAfter = 100_000;
  await t.rejects(blobs.open(blob.digest).then(whole), { code: 'UNAVAILABLE' });
  s3.switches.dropsAfter = undefined;
  s3.switches.stallsAfter = 100_000;
  await t.rejects(blobs.open(blob.digest).then(whole), { code: 'UNAVAILABLE' });
});

test('a reader slower than any limit is not cut off', async (t) => {
  const { blobs } = await made(t, { stallMs: 20, responseTimeoutMs: 40 });
  await blobs.put(blob, pieces(large));
  const content = await blobs.open(blob.digest);
  const seen: Uint8Array[] = [];
  for await (const chunk of content?.body ?? []) {
    if (seen.push(chunk.slice()) === 2) await new Promise((resolve) => setTimeout(resolve, 80));
  }
  t.ok(large.equals(Buffer.concat(seen)));
});

test('no reader pins a socket: unread, left early, aborted, cut off', async (t) => {
  const { s3, blobs } = await made(t, { maxSockets: 1 });
  await blobs.put(blob, pieces(large));
  await (await blobs.open(blob.digest))?.close();
  for await (const _ of (await blobs.open(blob.digest))?.body ?? []) break;
  const reader = new AbortController();
  const aborted = await blobs.open(blob.digest, { signal: reader.signal });
  reader.abort(new Error('the reader is gone'));
  await t.rejects(whole(aborted));
  s3.switches.dropsAfter = 10;
  await t.rejects(blobs.open(blob.digest).then(whole));
  s3.switches.dropsAfter = undefined;
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
  t.ok((await s3.connections()) <= 1);
});

test('a store that is down says that it cannot tell, and is not usable', async (t) => {
  const { s3, store, blobs } = await made(t);
  s3.switches.down = true;
  await t.rejects(blobs.stat(blob.digest), { code: 'UNAVAILABLE' });
  await t.rejects(blobs.open(blob.digest), { code: 'UNAVAILABLE' });
  await t.rejects(store.records.get('v1/leases/x'), { code: 'UNAVAILABLE' });
  t.equal(await store.isUsable(), false);
  s3.switches.down = false;
  t.equal(await store.isUsable(), true);
});

test('a store that does not answer in time is given up', async (t) => {
  const { s3, blobs } = await made(t, { responseTimeoutMs: 30, retries: 0 });
  s3.switches.slowMs = 200;
  await t.rejects(blobs.stat(blob.digest), { code: 'UNAVAILABLE' });
});

test('a conditional write whose answer got lost is known to be ours', async (t) => {
  const { s3, store } = await made(t);
  s3.switches.losesPutAnswers = 1;
  const version = await store.records.put('v1/leases/x', Buffer.from('replica 1'), { ifVersion: 'absent' });
  t.equal(version, (await store.records.get('v1/leases/x'))?.version);
  t.equal(
    await store.records.put('v1/leases/x', Buffer.from('replica 1'), { ifVersion: 'absent' }),
    undefined,
  );
});

test('a sweep aborts old uploads below our prefix, and no others', async (t) => {
  const { s3, store } = await made(t);
  const startedAt = new Date(Date.now() - 25 * 60 * 60 * 1000);
  const key = blobKey(blob.digest);
  s3.switches.pageSize = 1;
  s3.uploads.set('old', { key: `quayside/one/${key}`, startedAt, parts: new Map() });
  s3.uploads.set('old too', { key: `quayside/one/${key}`, startedAt, parts: new Map() });
  s3.uploads.set('young', { key: `quayside/one/${key}`, startedAt: new Date(), parts: new Map() });
  s3.uploads.set('foreign', { key: `elsewhere/${key}`, startedAt, parts: new Map() });
  t.equal(await store.sweep(), 2);
  t.same([...s3.uploads.keys()], ['young', 'foreign']);
});

test('a sweep never aborts an upload of this process, however old', async (t) => {
  const { s3, store, blobs } = await made(t, { staleUploadMs: 0 });
  async function* swept(): Bytes {
    yield large.subarray(0, 2 * mib);
    t.equal(s3.uploads.size, 1);
    t.equal(await store.sweep(), 0);
    yield large.subarray(2 * mib);
  }
  await blobs.put(blob, swept());
  t.ok(await blobs.stat(blob.digest));
});

test('rotated credentials are in use without a restart, and no error holds them', async (t) => {
  const { s3, files, blobs } = await made(t, { retries: 0 });
  await blobs.stat(described(Buffer.from('1')).digest);
  t.match(s3.requests.at(-1)?.headers.authorization, /Credential=AKIDEXAMPLE\//);
  const clock = performance.now();
  t.intercept(performance, 'now', { value: () => clock + 11_000 });
  await writeFile(join(files, 'id'), 'AKIDROTATED');
  await blobs.stat(described(Buffer.from('2')).digest);
  t.match(s3.requests.at(-1)?.headers.authorization, /Credential=AKIDROTATED\//);
  s3.switches.down = true;
  const refusal: unknown = await blobs.open(blob.digest).catch((error: unknown) => error);
  t.notMatch(inspect(refusal, { depth: 10, showHidden: true }), /AKID|a-secret-key/);
});

test('credential files that are missing make the store unusable, not the process', async (t) => {
  const { store } = await made(t, { accessKeyIdFile: '/nowhere' });
  t.equal(await store.isUsable(), false);
  await t.rejects(store.blobs.stat(blob.digest), { code: 'UNAVAILABLE' });
});

test('a blob is cut into at most 10,000 parts', async (t) => {
  const gib = 1024 * mib;
  t.equal(partBytesOf(gib, 8 * mib), 8 * mib);
  t.ok(Math.ceil((500 * gib) / partBytesOf(500 * gib, 8 * mib)) <= 10_000);
});

function stored(bytes: Buffer) {
  return { bytes, etag: '"x"', contentType: undefined, writtenAt: new Date() };
}
