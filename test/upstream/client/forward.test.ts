import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import type { Digest } from '../../../src/oci/digest.ts';
import type { ForwardedBlob, Upstream } from '../../../src/upstream/upstream.ts';
import { testAuthority } from '../../support/certificates.ts';
import { app, blobIn, lines, refusalOf, rig } from '../rig.ts';

const nowhere: Digest = `sha256:${'0'.repeat(64)}` as Digest;

async function forwarded(upstream: Upstream, digest: Digest, range?: string): Promise<ForwardedBlob> {
  const conditions = range === undefined ? {} : { range };
  const answer = await upstream.forwardBlob(app, digest, { method: 'GET', conditions });
  if (answer === undefined) throw new Error('the blob is absent');
  return answer;
}

test('a redirect is the answer, as a whole URL', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = blobIn(registry, 1_000);
  registry.switches.redirectsBlobs = true;
  const answer = await forwarded(upstream, digest);
  t.equal(answer.status, 302);
  t.equal(answer.location?.href, `${registry.cdnUrl}/v2/team/app/blobs/${digest}?signature=secret`);
  registry.switches.redirectsTo = '/elsewhere?signature=x';
  t.equal((await forwarded(upstream, digest)).location?.href, `${registry.url}/elsewhere?signature=x`);
  t.same(lines(registry), ['GET blobs 302', 'GET blobs 302']);
});

test('where there is no redirect, the bytes are the answer, a part where a part is asked', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest, bytes } = blobIn(registry, 1_000);
  t.equal(await text((await forwarded(upstream, digest)).body), bytes.toString());
  const part = await forwarded(upstream, digest, 'bytes=10-19');
  t.equal(part.status, 206);
  t.equal(await text(part.body), bytes.subarray(10, 20).toString());
  const head = await upstream.forwardBlob(app, digest, { method: 'HEAD' });
  t.match(head, { status: 200, headers: { 'content-length': '1000' } });
});

test('a failure is told after one request', async (t) => {
  const { registry, upstream, events } = await rig(t, { retries: 3 });
  const { digest } = blobIn(registry, 1_000);
  registry.switches.retryAfter = '7';
  for (const [status, code] of [
    [503, 'UNAVAILABLE'],
    [500, 'UNAVAILABLE'],
    [429, 'TOOMANYREQUESTS'],
    [403, 'DENIED'],
    [400, 'UPSTREAM_INVALID'],
  ] as const) {
    registry.switches.status = { of: 'blobs', code: status };
    t.match(await refusalOf(forwarded(upstream, digest)), { code, retryAfterSeconds: 7 }, `${status}`);
  }
  t.equal(registry.requests.length, 5);
  t.notOk(events.some((event) => event.startsWith('retried')));
});

test('what is not there, and a range outside of it, are known as such', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = blobIn(registry, 1_000);
  t.equal(await upstream.forwardBlob(app, nowhere, { method: 'GET' }), undefined);
  t.match(await refusalOf(forwarded(upstream, digest, 'bytes=5000-')), { code: 'RANGE_INVALID' });
});

test('a page that is no blob is not handed on', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = blobIn(registry, 1_000);
  registry.switches.answersHtml = true;
  t.match(await refusalOf(forwarded(upstream, digest)), { code: 'UPSTREAM_INVALID' });
});

test('the login is ours, and a token that has ended is renewed once', async (t) => {
  const { registry, upstream } = await rig(t, { credentials: await pair(t) });
  const { digest } = blobIn(registry, 1_000);
  registry.switches.requiresToken = { user: 'we', password: 'secret' };
  registry.switches.redirectsBlobs = true;
  t.equal((await forwarded(upstream, digest)).status, 302);
  registry.revokeTokens();
  t.equal((await forwarded(upstream, digest)).status, 302);
  const login = ['GET blobs 401', 'GET /token 200', 'GET blobs 302'];
  t.same(lines(registry), [...login, ...login]);
});

test('a login that is refused is DENIED, and says nothing of how to log in there', async (t) => {
  const { registry, upstream } = await rig(t, { credentials: await pair(t) });
  const { digest } = blobIn(registry, 1_000);
  registry.switches.requiresToken = { isPrivate: true };
  const refusal = await refusalOf(forwarded(upstream, digest));
  t.match(refusal, { code: 'DENIED', headers: {} });
  t.same(lines(registry), ['GET blobs 401', 'GET /token 200', 'GET blobs 401']);
});

test('no client is sent inside our network', async (t) => {
  const { registry, upstream } = await rig(t, { allowPrivateAddresses: false });
  const { digest } = blobIn(registry, 1_000);
  registry.switches.redirectsTo = 'http://169.254.169.254/latest';
  t.match(await refusalOf(forwarded(upstream, digest)), { code: 'UPSTREAM_INVALID' });
});

test('an upstream whose certificate cannot be trusted is not talked to', async (t) => {
  const authority = testAuthority();
  const { cert, key } = authority.issued();
  const { registry, upstream } = await rig(t, { double: { tls: { cert, key } } });
  const { digest } = blobIn(registry, 1_000);
  t.match(await refusalOf(forwarded(upstream, digest)), { code: 'UNAVAILABLE' });
  t.equal(registry.requests.length, 0);
});

test('an open breaker lets nothing pass, and its failures count', async (t) => {
  const { registry, upstream } = await rig(t, { breaker: { failures: 2, openMs: 60_000 } });
  const { digest } = blobIn(registry, 1_000);
  registry.switches.status = { of: 'blobs', code: 503 };
  for (const _ of [1, 2, 3]) await refusalOf(forwarded(upstream, digest));
  t.equal(registry.requests.length, 2);
});

test('a body that is read holds its place; one more waits for it', async (t) => {
  const { registry, upstream } = await rig(t, { maxConcurrent: 1, maxQueued: 0 });
  const { digest } = blobIn(registry, 2_000_000);
  const first = await forwarded(upstream, digest);
  t.match(await refusalOf(forwarded(upstream, digest)), { code: 'TOOMANYREQUESTS' });
  first.body.destroy();
  await new Promise<void>((resolve) => first.body.once('close', resolve));
  t.equal((await forwarded(upstream, digest)).status, 200);
});

async function pair(t: { testdir(): string }) {
  const folder = t.testdir();
  const usernameFile = join(folder, 'username');
  const passwordFile = join(folder, 'password');
  await writeFile(usernameFile, 'we');
  await writeFile(passwordFile, 'secret');
  return { usernameFile, passwordFile };
}
