import { test } from 'tap';
import { until } from '../support/bodies.ts';
import { openBelow } from '../support/open-files.ts';
import { type BadDay, badDay, digestOrCut, sampleOf, spoken } from './rig.ts';

const running = async ({ metrics }: BadDay): Promise<number | undefined> =>
  sampleOf(await metrics(), 'quayside_requests_running{limit="read"}');

const connectMethod = 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n';

for (const kind of ['blob', 'manifest'] as const)
  test(`a connection that ends with a ${kind} still in its queue holds no slot and no file`, async (t) => {
    const rig = await badDay(t);
    await rig.get('manifests/tools');
    await digestOrCut(await rig.getLayer());
    const path = kind === 'blob' ? `blobs/${rig.layer.digest}` : 'manifests/tools';
    const get = requestOf(`/v2/openshift/ci/${path}`);
    for (let connection = 0; connection < 20; connection += 1)
      await spoken(rig.url, get + get + connectMethod).catch(() => 'cut');
    await until(async () => (await running(rig)) === 0, 'the slots');
    await until(async () => (await openBelow(process.pid, rig.directory)) === 0, 'the files');
    t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  });

test('requests that are sent at once are answered in their order', async (t) => {
  const rig = await badDay(t);
  const ping = requestOf('/v2/');
  const unknown = requestOf('/v2/openshift/ci/manifests/none');
  const last = requestOf('/v2/', 'Connection: close\r\n');
  const text = await spoken(rig.url, ping + unknown + ping + last);
  t.same(statusesIn(text), ['200', '404', '200', '200']);
});

test('an interim answer stands before its own answer, never within another', async (t) => {
  const rig = await badDay(t);
  rig.double.switches.delayMs = 100;
  const slow = requestOf(`/v2/openshift/ci/blobs/${rig.image.config}`);
  const expecting = requestOf('/v2/openshift/ci/manifests/tools', 'Expect: 100-continue\r\n');
  const put = requestOf(
    '/v2/openshift/ci/manifests/x',
    'Expect: 100-continue\r\nContent-Length: 0\r\n',
    'PUT',
  );
  const text = await spoken(rig.url, slow + expecting + put + requestOf('/v2/', 'Connection: close\r\n'));
  t.match(text, /\r\n\r\n[^\r]*HTTP\/1\.1 (100 Continue\r\n\r\nHTTP\/1\.1 )?200 OK/);
  t.notMatch(text, /\r\n\r\nHTTP\/1\.1 100 Continue\r\n\r\n(?!HTTP)/);
});

test('a malformed request is refused after the good one before it is answered', async (t) => {
  const rig = await badDay(t);
  rig.double.switches.delayMs = 100;
  const text = await spoken(
    rig.url,
    `${requestOf('/v2/openshift/ci/manifests/tools')}GET /v2/ HTTP/1.1\r\nBad Name: x\r\n\r\n`,
  );
  t.same(statusesIn(text), ['200', '400']);
});

test('a malformed body is refused though its request has no answer yet', async (t) => {
  const { url } = await badDay(t);
  const post = requestOf(
    '/v2/auth',
    'Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n',
    'POST',
  );
  t.same(statusesIn(await spoken(url, `${post}no chunk\r\n`)), ['400']);
  t.same(statusesIn(await spoken(url, `${requestOf('/v2/')}${post}no chunk\r\n`)), ['200', '400']);
});

test('a client that sends more requests ahead than we keep is cut', async (t) => {
  const rig = await badDay(t);
  rig.double.switches.delayMs = 1_000;
  const slow = requestOf('/v2/openshift/ci/manifests/tools');
  t.equal(await spoken(rig.url, slow + requestOf('/v2/').repeat(100)).catch(() => ''), '');
  await until(async () => (await running(rig)) === 0, 'the slots');
});

function requestOf(path: string, more = '', method = 'GET'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`;
}

function statusesIn(text: string): string[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = '']) => status);
}
