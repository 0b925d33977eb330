import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mock } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { test } from 'tap';
import type { Bytes } from '../../../src/oci/content.ts';
import { blobKey } from '../../../src/store/keys.ts';
import { partBytesOf } from '../../../src/store/s3/s3-put.ts';
import { sized } from '../../support/sized.ts';
import { all, described, large, patterned, pieces, storeSuite, whole } from '../store-suite.ts';
import { blob, made, mib, stored } from './s3-store-fixture.ts';

storeSuite('s3', async (t) => (await made(t)).store);

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

test('a blob that is put while S3 says that it is absent is there', async (t) => {
  const { s3, blobs, operations } = await made(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  s3.switches.saysAbsentAfter = promise;
  const questions = Promise.all([blobs.open(blob.digest), blobs.stat(blob.digest)]);
  while (s3.requests.length < 2) await setImmediate();
  await blobs.put(blob, pieces(large));
  resolve();
  const [opened, found] = await questions;
  t.equal(opened, undefined);
  t.same(found, blob, 'the size that the put learned is newer than the answer');
  operations();
  t.same(await blobs.stat(blob.digest), blob);
  t.same(operations(), []);
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

test('the URL of a redirect is given again for half of the 10 s for which its credentials were read', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
  t.teardown(() => mock.timers.reset());
  const begun = Date.now();
  const { blobs } = await made(t, { now: () => Date.now() - begun });
  const url = await blobs.redirectUrl(blob.digest);
  mock.timers.tick(4_900);
  t.equal(await blobs.redirectUrl(blob.digest), url);
  mock.timers.tick(200);
  t.not(await blobs.redirectUrl(blob.digest), url);
});

test('content is believed in for an hour without a question', async (t) => {
  const clock = { now: 0 };
  const { blobs, operations } = await made(t, { now: () => clock.now });
  await blobs.put(blob, pieces(large));
  operations();
  clock.now = 3_599_000;
  await blobs.stat(blob.digest);
  t.same(operations(), []);
  clock.now = 3_601_000;
  await blobs.stat(blob.digest);
  t.same(operations(), ['HeadObject']);
});

test('what is absent is asked about again after three seconds', async (t) => {
  const clock = { now: 0 };
  const { blobs, operations } = await made(t, { now: () => clock.now });
  for (const now of [0, 2_900, 3_100]) {
    clock.now = now;
    t.equal(await blobs.stat(blob.digest), undefined);
  }
  t.same(operations(), ['HeadObject', 'HeadObject']);
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
  const many = Array.from({ length: sized(4, 6) }, (_, index) => patterned(3 * mib + index * 4));
  s3.switches.slowMs = 5;
  await Promise.all(many.map((bytes) => blobs.put(described(bytes), pieces(bytes))));
  for (const bytes of many) t.ok(bytes.equals(await whole(await blobs.open(described(bytes).digest))));
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
