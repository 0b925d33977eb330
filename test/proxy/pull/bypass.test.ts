import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { type Test, test } from 'tap';
import { parseRepository } from '../../../src/oci/reference.ts';
import { createBypass } from '../../../src/proxy/pull/bypass.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { type BadDay, badDay, digestOrCut, getRaw, layerBytes, refusal } from '../../bad-days/rig.ts';
import { randomContent, until } from '../../support/bodies.ts';
import { listening } from '../../support/listening.ts';
import type { ServiceRigOptions } from '../../support/service.ts';

/**
 * A service whose every host lets blobs bypass the cache, over a registry that redirects them, its
 * manifest known already.
 */
async function bypassed(t: Test, upstream: ServiceRigOptions['upstream'] = {}): Promise<BadDay> {
  const rig = await badDay(t, { upstream, settings: { hosts: { '*': { blobs: 'bypass' } } } });
  await (await rig.get('manifests/tools')).arrayBuffer();
  rig.double.requests.length = 0;
  rig.double.switches.redirectsBlobs = true;
  return rig;
}

test('the client is sent where the upstream sends us, and no byte passes through us', async (t) => {
  const rig = await bypassed(t);
  const response = await rig.getLayer();
  t.equal(response.status, 302);
  t.match(Object.fromEntries(response.headers), {
    location: `${rig.double.cdnUrl}/v2/openshift/ci/blobs/${rig.layer.digest}?signature=secret`,
    'docker-content-digest': rig.layer.digest,
    'quayside-cache': 'bypass',
    'docker-distribution-api-version': 'registry/2.0',
    'content-length': '0',
  });
  t.equal(
    response.headers.get('cache-control'),
    'no-store',
    'though the upstream lets it be kept for a year',
  );
  t.equal(await digestOrCut(await rig.getLayer({ redirect: 'follow' })), rig.layer.digest);
  t.same(
    rig.double.requests.map(({ method, cdn, status }) => `${method} ${cdn ? 'cdn' : 'registry'} ${status}`),
    ['GET registry 302', 'GET registry 302', 'GET cdn 200'],
  );
});

test('bytes that come instead of a redirect are handed on, whole or in part, and not kept', async (t) => {
  const rig = await bypassed(t);
  delete rig.double.switches.redirectsBlobs;
  const head = await rig.getLayer({ method: 'HEAD' });
  t.equal(head.headers.get('content-length'), `${layerBytes}`);
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  const part = await rig.getLayer({ headers: { range: 'bytes=10-19' } });
  t.equal(part.status, 206);
  t.equal(part.headers.get('content-range'), `bytes 10-19/${layerBytes}`);
  t.ok(Buffer.from(await part.arrayBuffer()).equals(rig.layer.bytes.subarray(10, 20)));
  t.equal(rig.double.seen('/blobs/').length, 4);
  t.match(rig.log.at(-1), { hit: 'bypass', bytes: 10, status: 206 });
});

test('what the client holds already is not sent again', async (t) => {
  const rig = await bypassed(t);
  delete rig.double.switches.redirectsBlobs;
  const first = await rig.getLayer();
  const etag = first.headers.get('etag') ?? '';
  t.equal(await digestOrCut(first), rig.layer.digest);
  await rig.getLayer({ headers: { 'if-none-match': etag } });
  t.equal(rig.double.requests.at(-1)?.headers['if-none-match'], etag);
});

test('manifests are answered by the cache as ever', async (t) => {
  const rig = await bypassed(t);
  const response = await rig.get('manifests/tools');
  t.equal(response.headers.get('quayside-cache'), 'hit; memory');
  t.equal(await digestOrCut(response), rig.image.digest);
  t.equal(rig.double.requests.length, 0);
});

test('one failure of the upstream is one request, and an answer that a client understands', async (t) => {
  const rig = await bypassed(t, { breaker: { failures: 100, openMs: '1s' } });
  rig.double.switches.retryAfter = '7';
  for (const [status, expected] of [
    [503, { status: 429, code: 'TOOMANYREQUESTS', retryAfter: 1 }],
    [500, { status: 429, code: 'TOOMANYREQUESTS', retryAfter: 1 }],
    [429, { status: 429, code: 'TOOMANYREQUESTS', retryAfter: 1 }],
    [404, { status: 404, code: 'BLOB_UNKNOWN' }],
    [403, { status: 404, code: 'BLOB_UNKNOWN' }],
    [401, { status: 404, code: 'BLOB_UNKNOWN' }],
  ] as const) {
    rig.double.requests.length = 0;
    rig.double.switches.status = { of: 'blobs', code: status };
    const response = await rig.getLayer();
    t.equal(response.headers.get('www-authenticate'), null);
    t.match(await refusal(response), expected, `${status}`);
    t.equal(rig.double.requests.length, 1, `${status}`);
  }
});

test('an upstream that is not there is told as passing trouble, and not waited for', async (t) => {
  const rig = await bypassed(t);
  rig.double.switches.down = true;
  t.match(await refusal(await rig.getLayer()), { status: 429, code: 'TOOMANYREQUESTS' });
});

test('nothing of the client goes upstream but what it asks of the blob', async (t) => {
  const rig = await bypassed(t);
  const path = `/v2/openshift/ci/blobs/${rig.layer.digest}?secret=query`;
  const response = await getRaw(
    rig.url,
    path,
    'Authorization: Bearer of-the-client',
    'Cookie: a=b',
    'X-Forwarded-For: 10.0.0.1',
    'X-Forwarded-Host: evil.example',
    'Forwarded: for=10.0.0.1',
    'Connection: range, x-hop',
    'X-Hop: 1',
    'TE: trailers',
    'Range: bytes=0-9',
    'User-Agent: evil',
  );
  t.equal(response.status, 302);
  const [asked] = rig.double.requests;
  t.equal(asked?.query, '');
  t.same(
    new Set(Object.keys(asked?.headers ?? {})),
    new Set(['accept-encoding', 'connection', 'host', 'user-agent']),
  );
  t.equal(asked?.headers['user-agent'], 'quayside');
  t.equal(asked?.headers.host, rig.double.host);
});

test('of what the upstream says, only what describes the blob gets to the client', async (t) => {
  const { bytes, descriptor } = randomContent(10);
  const url = await pastOf(t, {
    forwardBlob: async () => ({
      status: 200,
      headers: {
        'content-type': 'text/html',
        'content-length': '10',
        connection: 'x-hop',
        'x-hop': '1',
        'set-cookie': ['a=b'],
        'www-authenticate': 'Bearer realm="https://elsewhere.example"',
        location: 'https://elsewhere.example',
        'strict-transport-security': 'max-age=1',
      },
      body: Readable.from([bytes]),
    }),
  });
  const response = await fetch(url);
  t.equal(await digestOrCut(response), descriptor.digest);
  t.same(
    [...response.headers.keys()],
    [
      'accept-ranges',
      'cache-control',
      'connection',
      'content-length',
      'content-type',
      'date',
      'docker-content-digest',
      'docker-distribution-api-version',
      'etag',
      'keep-alive',
      'quayside-cache',
      'x-content-type-options',
      'x-request-id',
    ],
  );
  t.equal(response.headers.get('content-type'), 'application/octet-stream');
});

test('several parts are handed on under the upstream’s boundary', async (t) => {
  const type = 'multipart/byteranges; boundary=x';
  const url = await pastOf(t, {
    forwardBlob: async () => ({
      status: 206,
      headers: { 'content-type': type },
      body: Readable.from(['--x--']),
    }),
  });
  const response = await fetch(url, { headers: { range: 'bytes=0-1,3-4' } });
  t.equal(response.headers.get('content-type'), type);
  t.equal(await response.text(), '--x--');
});

test('an odd path in the request is the same path upstream', async (t) => {
  const rig = await bypassed(t);
  await getRaw(rig.url, `/v2/quay.io/openshift%2Fci/blobs/${rig.layer.digest.replace(':', '%3A')}`);
  t.same(
    rig.double.requests.map(({ path }) => path),
    [`/v2/openshift/ci/blobs/${rig.layer.digest}`],
  );
});

test('a body that breaks upstream is cut here too', async (t) => {
  const rig = await bypassed(t);
  delete rig.double.switches.redirectsBlobs;
  rig.double.switches.dropsAfter = { bytes: 100_000, times: 1 };
  t.equal(await digestOrCut(await rig.getLayer()), 'cut');
});

test('a client that leaves ends the request upstream, and gives its turn to the next', async (t) => {
  const rig = await badDay(t, {
    upstream: { firstByteTimeoutMs: '20s', maxConcurrent: 1, maxQueued: 0 },
    settings: { hosts: { '*': { blobs: 'bypass' } }, limits: { blobs: { maxRunning: 1, maxInQueue: 0 } } },
  });
  rig.double.switches.delayMs = 20_000;
  const control = new AbortController();
  const left = rig.getLayer({ signal: control.signal }).catch(() => 'left');
  await until(() => rig.double.requests.length === 1);
  control.abort();
  t.equal(await left, 'left');
  delete rig.double.switches.delayMs;
  await until(async () => (await digestOrCut(await rig.getLayer())) === rig.layer.digest);
});

test('a refused client gets no redirect', async (t) => {
  const { usernameFile, passwordFile } = robot(t);
  const rig = await badDay(t, {
    settings: {
      hosts: { '*': { blobs: 'bypass', auth: 'robots', robots: { usernameFile, passwordFile } } },
    },
  });
  rig.double.switches.redirectsBlobs = true;
  t.equal((await rig.getLayer()).status, 401);
  t.equal(rig.double.requests.length, 0);
  const authorization = `Basic ${Buffer.from('we:secret').toString('base64')}`;
  t.equal((await rig.getLayer({ headers: { authorization } })).status, 302);
  t.equal(rig.double.requests[0]?.headers.authorization, undefined);
});

/** A server that answers everything with one blob of this upstream. */
async function pastOf(t: Test, upstream: Pick<Upstream, 'forwardBlob'>): Promise<string> {
  const past = createBypass();
  const request = {
    kind: 'blob',
    repository: parseRepository('a/b'),
    digest: randomContent(1).descriptor.digest,
  } as const;
  const server = createServer((req, res) => {
    const exchange = {
      req,
      res,
      requestId: '1',
      namespace: undefined,
      clientAddress: '127.0.0.1',
      log: {},
      begun: () => undefined,
      sent: () => undefined,
      redirected: () => undefined,
    };
    past(exchange, request, upstream).catch(() => res.destroy());
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  return `http://${host}/`;
}

function robot(t: Test) {
  const folder = t.testdir({ username: 'we', password: 'secret' });
  return { usernameFile: `${folder}/username`, passwordFile: `${folder}/password` };
}
