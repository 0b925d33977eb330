import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { createDownloads } from '../../../src/upstream/download/downloads.ts';
import { createSocketPool } from '../../../src/upstream/download/socket-pool.ts';
import { createAgents } from '../../../src/upstream/http/agents.ts';
import { type TestCertificate, testAuthority } from '../../support/certificates.ts';
import { listening } from '../../support/listening.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { app, blobIn, pulled, refusalOf, rig, v1 } from '../rig.ts';

async function pemFile(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

function serverOf({ cert, key }: TestCertificate) {
  return { tls: { cert, key } };
}

/** A forward proxy for both ways: CONNECT, and absolute URLs. It keeps what it was asked. */
async function forwardProxy(t: { teardown(done: () => unknown): void }) {
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers['proxy-authorization'] ?? 'nobody'}`);
    response.writeHead(404, { 'content-length': 0 }).end();
  });
  proxy.on('connect', (request, client, head) => {
    asked.push(`CONNECT ${request.headers['proxy-authorization'] ?? 'nobody'}`);
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const server = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      server.write(head);
      server.pipe(client).pipe(server);
    });
    server.on('error', () => client.destroy());
    client.on('error', () => server.destroy());
  });
  const { port, close } = await listening(proxy);
  t.teardown(close);
  return { asked, port };
}

test('a certificate of an untrusted authority is refused', async (t) => {
  const { upstream, registry } = await rig(t, { double: serverOf(testAuthority().issued()) });
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UNAVAILABLE');
  t.equal(registry.requests.length, 0);
});

test('a certificate of our own authority is taken', async (t) => {
  const authority = testAuthority();
  const caFile = await pemFile(t.testdir(), 'ca.pem', authority.cert);
  const { registry, upstream } = await rig(t, { double: serverOf(authority.issued()), caFile });
  registry.addImage('team/app', 'v1');
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
});

test('an expired certificate is refused at once', async (t) => {
  const authority = testAuthority();
  const caFile = await pemFile(t.testdir(), 'ca.pem', authority.cert);
  const { upstream, events } = await rig(t, { double: serverOf(authority.issued({ days: -1 })), caFile });
  const refusal = await refusalOf(upstream.manifest(app, v1));
  t.match(refusal, { code: 'UNAVAILABLE', message: /certificate/ });
  t.notOk(events.includes('retried network'));
});

test('a client certificate is shown, and taken from its files when they change', async (t) => {
  const authority = testAuthority();
  const folder = t.testdir();
  const caFile = await pemFile(folder, 'ca.pem', authority.cert);
  const client = authority.issued();
  const certFile = await pemFile(folder, 'client.pem', testAuthority().issued().cert);
  const keyFile = await pemFile(folder, 'client-key.pem', client.key);
  const double = { tls: { ...authority.issued(), ca: authority.cert, requestCert: true } };
  const { registry, upstream } = await rig(t, { double, caFile, certFile, keyFile, retries: 0 });
  registry.addImage('team/app', 'v1');
  t.equal(
    (await refusalOf(upstream.manifest(app, v1))).code,
    'UNAVAILABLE',
    'certificate and key do not fit',
  );
  await pemFile(folder, 'client.pem', client.cert);
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
});

test('a proxy of the upstream is asked to connect, with its own password', async (t) => {
  const authority = testAuthority();
  const caFile = await pemFile(t.testdir(), 'ca.pem', authority.cert);
  const { asked, port } = await forwardProxy(t);
  const proxy = `http://user:secret@127.0.0.1:${port}`;
  const { registry, upstream } = await rig(t, { double: serverOf(authority.issued()), caFile, proxy });
  const layer = blobIn(registry, 100_000);
  registry.switches.redirectsBlobs = true;
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  const pair = Buffer.from('user:secret').toString('base64');
  t.same(asked, [`CONNECT Basic ${pair}`, `CONNECT Basic ${pair}`], 'the registry, then its CDN');
});

test('plain HTTP goes through the proxy of the environment', async (t) => {
  const { asked, port } = await forwardProxy(t);
  const env = { HTTP_PROXY: `http://127.0.0.1:${port}` };
  const { upstream } = await rig(t, { url: 'http://registry.example.com', env });
  t.match(await upstream.manifest(app, v1), { kind: 'absent' });
  t.same(asked, ['GET nobody']);
});

test('a proxy that is not there makes the upstream unavailable', async (t) => {
  const { upstream } = await rig(t, {
    url: 'https://registry.example.com',
    proxy: 'http://127.0.0.1:1',
    retries: 0,
  });
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UNAVAILABLE');
});

test('a name that resolves to a private address is refused when we connect', async (t) => {
  const inside = await registryDouble();
  const connections = createAgents({
    upstream: new URL('https://quay.io'),
    env: {},
    allowPrivateAddresses: false,
    connectTimeoutMs: 1_000,
  });
  t.teardown(() => Promise.all([connections.close(), inside.close()]));
  const url = new URL(`http://localhost:${new URL(inside.url).port}/`);
  const { dispatcher, line } = await connections.routeTo(url);
  const asked = dispatcher.request({ origin: url.origin, path: '/v2/', method: 'GET' });
  t.equal((await refusalOf(asked)).code, 'UPSTREAM_INVALID');
  if (line === undefined) throw new Error('it is reached through a proxy');
  const own = createDownloads();
  const limits = { firstByteTimeoutMs: 1_000, progressTimeoutMs: 1_000 };
  t.equal((await refusalOf(own.get({ url, line, ...limits }))).code, 'UPSTREAM_INVALID');
  t.equal(inside.requests.length, 0);
});

test('a request that waits for its certificates when the upstream is closed opens no connection', async (t) => {
  const upstream = new URL('https://registry.example');
  const caFile = await pemFile(t.testdir(), 'ca.pem', testAuthority().cert);
  const agents = createAgents({
    ...{ upstream, caFile, connectTimeoutMs: 1_000, env: {}, allowPrivateAddresses: true },
  });
  const routed = agents.routeTo(upstream);
  const refused = t.rejects(routed, { message: 'the connections to the upstream are closed' });
  await agents.close();
  await refused;
});

test('a connection that is opened after the end of a pool is cut', async (t) => {
  const accepted = await listening(createServer());
  t.teardown(accepted.close);
  const pool = createSocketPool(16);
  pool.close();
  const socket = pool.open(new URL(`http://${accepted.host}`), {
    tls: { rejectUnauthorized: true },
    connectTimeoutMs: 60_000,
  });
  await t.rejects(socket.opened);
  t.ok(socket.isStale);
});
