import { Readable } from 'node:stream';
import { test } from 'tap';
import type { Dispatch } from '../../../src/upstream/exchange.ts';
import { followed, parseTarget } from '../../../src/upstream/http/redirect.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { app, blobIn, lines, pulled, refusalOf, rig, v1 } from '../rig.ts';

const strict = { upstream: new URL('https://quay.io'), allowPrivateAddresses: false };

test('a redirect is followed on our side, with the range', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 100_000);
  registry.switches.redirectsBlobs = true;
  t.same(await pulled(upstream, layer.digest, { start: 10, end: 99 }), layer.bytes.subarray(10, 100));
  t.same(lines(registry), ['GET blobs 302', 'GET cdn 206']);
});

test('a redirect is never kept, whatever its Cache-Control says', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000);
  registry.switches.redirectsBlobs = true;
  await pulled(upstream, layer.digest);
  await pulled(upstream, layer.digest);
  t.same(lines(registry), ['GET blobs 302', 'GET cdn 200', 'GET blobs 302', 'GET cdn 200']);
});

test('a loop of redirects ends after the limit', async (t) => {
  const { registry, upstream } = await rig(t, { maxRedirects: 3 });
  const layer = blobIn(registry, 1_000);
  registry.switches.redirectsInALoop = true;
  t.equal((await refusalOf(pulled(upstream, layer.digest))).code, 'UPSTREAM_INVALID');
  t.equal(registry.requests.length, 4);
});

test('a redirect to a private address elsewhere is refused unasked', async (t) => {
  const { registry, upstream } = await rig(t, { allowPrivateAddresses: false });
  const layer = blobIn(registry, 1_000);
  registry.switches.redirectsBlobs = true;
  t.equal((await refusalOf(pulled(upstream, layer.digest))).code, 'UPSTREAM_INVALID');
  t.equal(registry.requests.filter(({ cdn }) => cdn).length, 0);
});

test('a redirect to the registry itself is followed wherever that is', async (t) => {
  const { registry, upstream } = await rig(t, { allowPrivateAddresses: false });
  const layer = blobIn(registry, 1_000);
  registry.switches.redirectsTo = '/v2/team/app/manifests/none';
  t.equal(await upstream.openBlob(app, layer.digest), undefined);
  t.same(lines(registry), ['GET blobs 302', 'GET manifests 404']);
});

test('a CDN that fails is retried with a fresh redirect', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000);
  registry.switches.redirectsBlobs = true;
  registry.switches.status = { of: 'cdn', code: 503, times: 1 };
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  t.same(lines(registry), ['GET blobs 302', 'GET cdn 503', 'GET blobs 302', 'GET cdn 200']);
});

for (const code of [400, 401, 403, 404] as const) {
  test(`storage that answers ${code} is not the registry's word: another URL is asked for, once`, async (t) => {
    const { registry, upstream } = await rig(t);
    const layer = blobIn(registry, 1_000);
    Object.assign(registry.switches, { redirectsBlobs: true, refusesInHtml: true });
    registry.switches.status = { of: 'cdn', code, times: 1 };
    t.same(await pulled(upstream, layer.digest), layer.bytes);
    t.same(lines(registry), ['GET blobs 302', `GET cdn ${code}`, 'GET blobs 302', 'GET cdn 200']);
    registry.switches.status = { of: 'cdn', code };
    t.match(await refusalOf(pulled(upstream, layer.digest)), { code: 'UNAVAILABLE' });
    t.equal(registry.requests.length, 8);
  });
}

test('a registry behind a redirect is believed when it says that there is no such blob', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000);
  registry.switches.redirectsBlobs = true;
  registry.switches.status = { of: 'cdn', code: 404, error: 'BLOB_UNKNOWN' };
  t.equal(await upstream.openBlob(app, layer.digest), undefined);
});

test('a registry behind a redirect gets an anonymous token, and none of ours', async (t) => {
  const folder = t.testdir({ user: 'team+robot', password: 'robot-secret' });
  const credentials = { usernameFile: `${folder}/user`, passwordFile: `${folder}/password` };
  const other = await registryDouble();
  t.teardown(() => other.close());
  const { registry, upstream } = await rig(t, { credentials });
  const layer = blobIn(registry, 1_000);
  other.addBlob('team/app', layer.bytes);
  registry.switches.redirectsTo = `${other.url}/v2/team/app/blobs/${layer.digest}?signature=secret`;
  registry.switches.requiresBasic = { user: 'team+robot', password: 'robot-secret' };
  other.switches.requiresToken = { expiresIn: 300 };
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  t.same(lines(other), ['GET blobs 401', 'GET /token 200', 'GET blobs 200', 'GET blobs 200']);
  t.notOk(other.requests.some(({ headers }) => /^Basic/.test(headers.authorization ?? '')));
});

test('storage learns which URL of the registry led to it, without its query', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000);
  registry.switches.redirectsBlobs = true;
  await pulled(upstream, layer.digest);
  t.equal(registry.requests[1]?.headers.referer, `${registry.url}/v2/team/app/blobs/${layer.digest}`);
});

test('a HEAD that storage refuses is no word of the registry either', async (t) => {
  const { registry, upstream } = await rig(t);
  const layer = blobIn(registry, 1_000);
  registry.switches.redirectsHeads = true;
  Object.assign(registry.switches, { redirectsBlobs: true, refusesInHtml: true });
  registry.switches.status = { of: 'cdn', code: 404, times: 1 };
  t.same(await upstream.statBlob(app, layer.digest), { digest: layer.digest, size: 1_000 });
});

test('a redirect without a target is refused', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.status = { of: 'manifests', code: 307 };
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UPSTREAM_INVALID');
});

test('https never becomes http', async (t) => {
  t.throws(() => parseTarget('http://cdn.example.com/', strict.upstream, strict), {
    code: 'UPSTREAM_INVALID',
  });
  t.equal(
    parseTarget('https://cdn.example.com/a?b#c', strict.upstream, strict).href,
    'https://cdn.example.com/a?b',
  );
});

test('a target is relative to what was asked, and its credentials are dropped', async (t) => {
  t.equal(parseTarget('/token', strict.upstream, strict).href, 'https://quay.io/token');
  t.equal(
    parseTarget('https://u:p@cdn.example.com/', strict.upstream, strict).href,
    'https://cdn.example.com/',
  );
});

for (const target of [
  'https://10.0.0.1/',
  'https://[::1]/',
  'https://169.254.169.254/latest/meta-data',
  'https://localhost/',
  'https://2130706433/',
  'https://[::ffff:192.168.0.1]/',
  'ftp://cdn.example.com/',
  'file:///etc/passwd',
  'https://',
]) {
  test(`${target} is no target`, async (t) => {
    t.throws(() => parseTarget(target, strict.upstream, strict), { code: 'UPSTREAM_INVALID' });
  });
}

test('a login that a redirect left behind is not sent again, not even to the registry', async (t) => {
  const leads = new Map([
    ['https://quay.io/a', 'https://cdn.example.com/b'],
    ['https://cdn.example.com/b', 'https://quay.io/c'],
  ]);
  const seen: string[] = [];
  const sends =
    (who: string): Dispatch =>
    async ({ url }) => {
      seen.push(`${who} ${url.href}`);
      const location = leads.get(url.href);
      const body = Readable.from([]);
      return location === undefined
        ? { status: 200, headers: {}, url, body }
        : { status: 307, headers: { location }, url, body };
    };
  const routes = { own: sends('own'), foreign: sends('foreign'), guest: sends('guest') };
  const send = followed({ ...strict, maxRedirects: 5, ...routes });
  await send({ kind: 'blob', method: 'GET', url: new URL('https://quay.io/a'), headers: {} });
  t.same(seen, ['own https://quay.io/a', 'guest https://cdn.example.com/b', 'guest https://quay.io/c']);
});
