import { join } from 'node:path';
import { hash } from 'bcryptjs';
import { type Test, test } from 'tap';
import { until } from '../support/bodies.ts';
import { badDay, digestOrCut, exchanged, getRaw, layerBytes, refusal, temporary } from './rig.ts';

const zeros = `sha256:${'0'.repeat(64)}`;

test('malformed input is refused by its name, without a request to an upstream', async (t) => {
  const { url, double } = await badDay(t);
  const cases = [
    { path: '/v2/Openshift/ci/manifests/tools', status: 400, code: 'NAME_INVALID' },
    { path: '/v2/openshift//ci/manifests/tools', status: 400, code: 'NAME_INVALID' },
    { path: '/v2/-ci/manifests/tools', status: 400, code: 'NAME_INVALID' },
    { path: `/v2/${'a/'.repeat(130)}b/manifests/tools`, status: 400, code: 'NAME_INVALID' },
    { path: '/v2/openshift/%zz/manifests/tools', status: 400, code: 'NAME_INVALID' },
    { path: '/v2/openshift/ci%00/manifests/tools', status: 400, code: 'NAME_INVALID' },
    { path: '/v2/openshift/c%C3%AF/manifests/tools', status: 400, code: 'NAME_INVALID' },
    { path: '/v2/openshift/ci/manifests/.hidden', status: 404, code: 'TAG_INVALID' },
    { path: `/v2/openshift/ci/manifests/${'t'.repeat(129)}`, status: 404, code: 'TAG_INVALID' },
    { path: '/v2/openshift/ci/manifests/a%20b', status: 404, code: 'TAG_INVALID' },
    { path: '/v2/openshift/ci/manifests/sha256:12', status: 400, code: 'DIGEST_INVALID' },
    { path: `/v2/openshift/ci/blobs/${zeros.toUpperCase()}`, status: 400, code: 'DIGEST_INVALID' },
    { path: `/v2/openshift/ci/blobs/md5:${'0'.repeat(32)}`, status: 400, code: 'DIGEST_INVALID' },
    { path: '/v2/openshift/ci/referrers/latest', status: 400, code: 'DIGEST_INVALID' },
    { path: '/v2/openshift/ci/tags/list?n=many', status: 400, code: 'PAGINATION_NUMBER_INVALID' },
    { path: '/v2/openshift/ci/tags/list?n=-1', status: 400, code: 'PAGINATION_NUMBER_INVALID' },
    { path: `/v2/openshift/ci/tags/list?last=${'a'.repeat(5_000)}`, status: 400, code: 'NAME_INVALID' },
    { path: '/v2/openshift/ci', status: 404, code: 'NAME_UNKNOWN' },
    { path: '/v2/_catalog', status: 404, code: 'NAME_UNKNOWN' },
    { path: '/v1/openshift/ci', status: 404, code: 'NAME_UNKNOWN' },
  ];
  for (const { path, status, code } of cases) {
    t.match(await refusal(await getRaw(url, path)), { status, code }, path.slice(0, 80));
  }
  t.same(double.requests, []);
});

test('no path leads out of the registry', async (t) => {
  const { url, double } = await badDay(t);
  const paths = [
    '/v2/../../etc/passwd',
    '/v2/../../../../../../etc/passwd/manifests/tools',
    '/v2/openshift/../../etc/manifests/passwd',
    '/v2/%2e%2e/%2e%2e/etc/manifests/passwd',
    '/v2/..%2F..%2Fetc%2Fpasswd',
    '/v2/..%5C..%5Cetc/manifests/passwd',
    '/v2/openshift/ci/manifests/..%2F..%2F..%2Fetc%2Fpasswd',
    `/v2/openshift/ci/blobs/..%2F${zeros}`,
    '/v2/%252e%252e/etc/manifests/passwd',
    '//etc/passwd',
    '/../v2/openshift/ci/manifests/tools',
  ];
  for (const path of paths) {
    const { status, code } = await refusal(await getRaw(url, path));
    t.match(`${status} ${code}`, /^(?:400|404) (?:NAME|TAG|DIGEST)_(?:INVALID|UNKNOWN)$/, path);
  }
  t.same(double.requests, []);
});

test('an encoded slash is a slash: one parse for access and for the upstream', async (t) => {
  const { url, image, double } = await badDay(t, {
    upstream: { repositories: ['openshift/*'] },
  });
  const response = await getRaw(url, '/v2/openshift%2Fci/manifests/tools');
  t.equal(response.headers.get('docker-content-digest'), image.digest);
  t.same(
    double.requests.map(({ path }) => path),
    ['/v2/openshift/ci/manifests/tools'],
  );
  t.match(await refusal(await getRaw(url, '/v2/secret%2Fci/manifests/tools')), {
    status: 404,
    code: 'NAME_UNKNOWN',
  });
});

test('a Range that makes no sense is refused, one that cannot be met is 416 with the size', async (t) => {
  const { getLayer } = await badDay(t);
  const cases = [
    { range: 'bytes=abc', status: 400, code: 'HEADER_INVALID' },
    { range: 'bytes=-', status: 400, code: 'HEADER_INVALID' },
    { range: 'bytes=0-1,x', status: 400, code: 'HEADER_INVALID' },
    { range: `bytes=0-${'9'.repeat(30)}`, status: 400, code: 'HEADER_INVALID' },
    { range: `bytes=${'0-0,'.repeat(1_025)}0-0`, status: 400, code: 'HEADER_INVALID' },
    { range: `bytes=${layerBytes}-`, status: 416, code: 'RANGE_INVALID' },
    { range: 'bytes=-0', status: 416, code: 'RANGE_INVALID' },
    { range: 'bytes=9-3', status: 416, code: 'RANGE_INVALID' },
  ];
  for (const { range, status, code } of cases) {
    const response = await getLayer({ headers: { range } });
    t.equal(response.headers.get('content-range'), status === 416 ? `bytes */${layerBytes}` : null);
    t.match(await refusal(response), { status, code }, range.slice(0, 40));
  }
});

test('a Range in an unknown unit is ignored', async (t) => {
  const { getLayer, layer } = await badDay(t);
  const response = await getLayer({ headers: { range: 'lines=1-5' } });
  t.equal(response.status, 200);
  t.equal(await digestOrCut(response), layer.digest);
});

test('an Accept that makes no sense gets the manifest as it is', async (t) => {
  const { get, image } = await badDay(t);
  for (const accept of [';;;,,,///', 'text/html', '*', 'a'.repeat(8_000), '"\u00ff\u00fe']) {
    const response = await get('manifests/tools', { headers: { accept } });
    t.equal(response.headers.get('content-type'), 'application/vnd.oci.image.manifest.v1+json');
    t.equal(await digestOrCut(response), image.digest);
  }
});

test('8 KB of garbage in any field of the header harms nothing', async (t) => {
  const { url, image } = await badDay(t);
  const garbage = Array.from({ length: 8 * 1024 }, (_, at) => String.fromCharCode(0xa1 + ((at * 31) % 94)));
  const fields = [
    'X-Junk',
    'Accept',
    'If-None-Match',
    'User-Agent',
    'Authorization',
    'Cookie',
    'X-Request-Id',
  ];
  for (const field of fields) {
    const path = '/v2/openshift/ci/manifests/tools';
    const response = await getRaw(url, path, `${field}: ${garbage.join('')}`);
    t.equal(response.status, 200, field);
    t.equal(response.headers.get('docker-content-digest'), image.digest, field);
    t.match(response.headers.get('x-request-id'), /^[\w.-]{1,64}$/, field);
  }
});

test('8 KB of garbage where a Range or a host should be is refused', async (t) => {
  const { url, layer } = await badDay(t);
  const garbage = 'x?'.repeat(4 * 1024);
  const path = `/v2/openshift/ci/blobs/${layer.digest}`;
  t.match(await refusal(await getRaw(url, path, `Range: bytes=${garbage}`)), {
    status: 400,
    code: 'HEADER_INVALID',
  });
  t.match(await refusal(await getRaw(url, path, `Host: ${garbage}`)), { status: 404, code: 'NAME_UNKNOWN' });
});

test('a header of 70 KB is 431, and a list of 1,024 ranges is not', async (t) => {
  const { url, getLayer } = await badDay(t);
  t.match(await refusal(await getRaw(url, '/v2/', `X-Junk: ${'x'.repeat(70_000)}`)), {
    status: 431,
    code: 'HEADER_INVALID',
  });
  const range = Array.from({ length: 1_024 }, (_, at) => `${100_000 + at * 20}-${100_000 + at * 20 + 9}`);
  const response = await getLayer({ headers: { range: `bytes=${range.join(',')}` } });
  t.equal(response.status, 206);
  t.equal((await response.text()).match(/Content-Range/g)?.length, 1_024);
});

test('what is not HTTP is answered in words that a client understands', async (t) => {
  const { url } = await badDay(t);
  const cases = [
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello',
    'HELO registry\r\n\r\n',
    'GET /v2/ HTTP/9.9\r\n\r\n',
    'GET /v2/ HTTP/1.1\r\nHost: a\r\nX-Junk: a\x00b\r\n\r\n',
    'GET /v2/ HTTP/1.1\r\nno colon at all\r\n\r\n',
    'GET /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  ];
  for (const text of cases) {
    t.match(await refusal(await exchanged(url, text)), { status: 400 }, JSON.stringify(text.slice(0, 40)));
  }
  t.equal((await fetch(`${url}/v2/`)).status, 200);
});

test('a host name that is not configured is refused unasked', async (t) => {
  const { url, double } = await badDay(t, { settings: { hosts: { 'cache.example': {} } } });
  const path = '/v2/openshift/ci/manifests/tools';
  t.match(await refusal(await getRaw(url, path, 'Host: other.example')), {
    status: 404,
    code: 'NAME_UNKNOWN',
  });
  t.match(await refusal(await getRaw(url, path, 'Host: cache.example.evil')), {
    status: 404,
    code: 'NAME_UNKNOWN',
  });
  t.same(double.requests, []);
  t.equal((await getRaw(url, path, 'Host: Cache.Example.:8400')).status, 200);
});

test('two Host lines are refused, whichever comes first, on every path', async (t) => {
  const { url, double } = await badDay(t, { settings: { hosts: { 'cache.example': {} } } });
  for (const path of ['/v2/openshift/ci/manifests/tools', '/v2/', '/v2/auth', '/nothing', '/livez'])
    for (const other of ['other.example', 'cache.example'])
      t.match(await refusal(await getRaw(url, path, 'Host: cache.example', `hOST: ${other}`)), {
        status: 400,
        code: 'HEADER_INVALID',
      });
  t.same(double.requests, []);
});

test('a whole URL as the target says which host is meant, whatever Host says', async (t) => {
  const { url, image, double } = await badDay(t, { settings: { hosts: { 'cache.example': {} } } });
  const path = '/v2/openshift/ci/manifests/tools';
  const answer = await getRaw(url, `http://cache.example${path}?ns=quay.io`, 'Host: other.example');
  t.match([answer.status, answer.headers.get('docker-content-digest')], [200, image.digest]);
  double.requests.length = 0;
  for (const target of [
    `HTTP://other.example${path}`,
    `http://user@cache.example${path}`,
    `//cache.example${path}`,
  ])
    t.match(await refusal(await getRaw(url, target, 'Host: cache.example')), { status: 404 }, target);
  t.same(double.requests, []);
});

test('a registry that is not configured is unknown, however it is named', async (t) => {
  const { url, double } = await badDay(t, { settings: { defaultUpstream: 'quay.io' } });
  for (const path of [
    '/v2/openshift/ci/manifests/tools?ns=evil.example',
    '/v2/openshift/ci/manifests/tools?ns=127.0.0.1:1',
    '/v2/openshift/ci/manifests/tools?ns=..%2f..',
  ]) {
    t.match(await refusal(await getRaw(url, path)), { status: 404, code: 'NAME_UNKNOWN' }, path);
  }
  t.same(double.requests, []);
});

test('a write is refused as such before its body is read', async (t) => {
  const { url, double } = await badDay(t);
  for (const [method, path] of [
    ['POST', 'blobs/uploads/'],
    ['PATCH', 'blobs/uploads/1'],
    ['PUT', 'manifests/tools'],
    ['DELETE', 'manifests/tools'],
  ] as const) {
    const response = await fetch(`${url}/v2/openshift/ci/${path}`, { method, body: 'x'.repeat(100_000) });
    t.equal(response.headers.get('allow'), 'GET, HEAD');
    t.match(await refusal(response), { status: 405, code: 'UNSUPPORTED' }, method);
  }
  t.same(double.requests, []);
});

test('a request id comes back, and an insane one is replaced', async (t) => {
  const rig = await badDay(t);
  const { url, get } = rig;
  const idOf = (response: Response) => response.headers.get('x-request-id');
  t.equal(idOf(await get('manifests/tools', { headers: { 'x-request-id': 'node-7.a_b' } })), 'node-7.a_b');
  for (const insane of ['', 'a b', 'x'.repeat(65), '<script>', '"},{"level":"fatal"', '\u00e9']) {
    const response = await getRaw(url, '/v2/openshift/ci/manifests/.x', `X-Request-Id: ${insane}`);
    t.match(idOf(response), /^[A-Za-z0-9]{8}-[a-z0-9]+$/, insane);
    t.equal((await refusal(response)).requestId, idOf(response));
    await until(() => rig.log.some(({ requestId }) => requestId === idOf(response)), 'the line in the log');
  }
});

test('a token request that makes no sense is refused, and says nothing of why', async (t) => {
  const { url } = await withRobots(t);
  const form = 'application/x-www-form-urlencoded';
  const cases = [
    { type: 'application/json', body: '{"grant_type": "password"', status: 415, code: 'UNSUPPORTED' },
    { type: form, body: '{"grant_type": ', status: 401, code: 'UNAUTHORIZED' },
    { type: form, body: '%%%=%zz&&&==', status: 401, code: 'UNAUTHORIZED' },
    { type: form, body: 'grant_type=refresh_token&refresh_token=x', status: 401, code: 'UNAUTHORIZED' },
    { type: form, body: 'grant_type=password&username=robot', status: 401, code: 'UNAUTHORIZED' },
    { type: form, body: 'x'.repeat(17 * 1024), status: 413, code: 'SIZE_INVALID' },
    { type: 'multipart/form-data', body: 'x', status: 415, code: 'UNSUPPORTED' },
  ];
  for (const { type, body, status, code } of cases) {
    const headers = { 'content-type': type };
    const response = await fetch(`${url}/v2/auth`, { method: 'POST', headers, body });
    t.match(await refusal(response), { status, code }, body.slice(0, 40));
  }
});

test('an Authorization that makes no sense is 401 with our challenge', async (t) => {
  const { url, double } = await withRobots(t);
  for (const value of [
    '',
    'Basic',
    'Basic %%%',
    'Basic bm9jb2xvbg==',
    'Bearer',
    'Bearer a.b.c',
    'Digest x=1',
    'x'.repeat(8_192),
  ]) {
    const response = await getRaw(url, '/v2/openshift/ci/manifests/tools', `Authorization: ${value}`);
    t.match(
      response.headers.get('www-authenticate'),
      /^Bearer realm="http:\/\/127\.0\.0\.1:\d+\/v2\/auth"/,
      value.slice(0, 20),
    );
    t.match(await refusal(response), { status: 401, code: 'UNAUTHORIZED' });
  }
  t.same(double.requests, []);
});

/** The service, letting in one robot only. */
async function withRobots(t: Test) {
  const directory = await temporary(t, { htpasswd: `robot:${await hash('right', 4)}\n` });
  const robots = { htpasswdFile: join(directory, 'htpasswd') };
  return badDay(t, { settings: { hosts: { '*': { auth: 'robots', robots } } } });
}
