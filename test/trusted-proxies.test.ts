import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { type Test, test } from 'tap';
import { blobKey } from '../src/store/keys.ts';
import { until } from './support/bodies.ts';
import { s3Double } from './support/s3-double.ts';
import { serviceRig } from './support/service.ts';

const client = '192.0.2.1';
const sayingFor = (address: string) => ({ 'x-forwarded-for': address });
/** The tests connect from loopback, as a proxy would. */
const us = '127.0.0.0/8';
const others = '10.0.0.0/8';

/** A blob in a bucket to which clients of the network of `client` are sent; its URL here. */
async function storedBlob(t: Test, trustedProxies: readonly string[]): Promise<string> {
  const s3 = await s3Double();
  t.teardown(() => s3.close());
  const keyFile = join(t.testdir({ key: 'a-secret-key' }), 'key');
  const bucket = { bucket: 'blobs', endpoint: s3.endpoint, pathStyle: true };
  const keys = { accessKeyIdFile: keyFile, secretAccessKeyFile: keyFile };
  const redirect = { networks: ['192.0.2.0/24'] };
  const spool = { path: join(t.testdirName, 'spool') };
  const store = { s3: { ...bucket, ...keys, redirect } };
  const { double, url } = await serviceRig(t, { settings: { store, spool, trustedProxies } });
  const digest = double.addBlob('team/app', Buffer.alloc(400_000, 'layer'));
  const blobUrl = `${url}/v2/team/app/blobs/${digest}`;
  await (await fetch(blobUrl)).arrayBuffer();
  await until(() => [...s3.objects.keys()].some((key) => key.endsWith(blobKey(digest))), 'the object');
  return blobUrl;
}

async function statusOf(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const answer = await fetch(url, { headers, redirect: 'manual' });
  await answer.arrayBuffer();
  return answer.status;
}

test('a client behind a trusted proxy is redirected by its own network', async (t) => {
  const url = await storedBlob(t, [us]);
  t.equal(await statusOf(url, sayingFor(client)), 307);
  t.equal(await statusOf(url, sayingFor(`${client}, 198.51.100.7`)), 200, 'whatever it says itself');
  t.equal(await statusOf(url, {}), 200);
});

test('a client that connects itself is not redirected by what it says', async (t) => {
  const url = await storedBlob(t, [others]);
  t.equal(await statusOf(url, sayingFor(client)), 200);
});

test('the log has the client’s address from a trusted proxy, and the connection’s otherwise', async (t) => {
  for (const [proxies, address] of [
    [[us], client],
    [[others], '127.0.0.1'],
    [[], '127.0.0.1'],
  ] as const) {
    const rig = await serviceRig(t, { settings: { trustedProxies: proxies, log: { qciAppci: true } } });
    await statusOf(`${rig.url}/v2/`, sayingFor(client));
    const line = (msg: string) => rig.log.find((each) => each.msg === msg);
    await until(() => line('request') !== undefined && line('Access log') !== undefined, 'the lines');
    t.match(line('request'), { client: address });
    t.match(line('Access log'), { host: address });
  }
});

test('a proxy may append a field line of its own to those of the client', async (t) => {
  const rig = await serviceRig(t, { settings: { trustedProxies: [us] } });
  const lines = ['198.51.100.7', '10.0.0.1, 198.51.100.8', client];
  const [answer] = await once(get(`${rig.url}/v2/`, { headers: { 'x-forwarded-for': lines } }), 'response');
  answer.resume();
  await until(() => rig.log.some(({ msg }) => msg === 'request'), 'the line');
  t.match(
    rig.log.filter(({ msg }) => msg === 'request'),
    [{ client }],
  );
});

const basic = (password: string) => ({
  authorization: `Basic ${Buffer.from(`robot:${password}`).toString('base64')}`,
});

test('of the clients behind a trusted proxy, who guesses is slowed and no other', async (t) => {
  const htpasswdFile = join(t.testdir(), 'htpasswd');
  await writeFile(htpasswdFile, `robot:${hashSync('right', 4)}\n`);
  const hosts = { '*': { auth: 'robots', robots: { htpasswdFile } } };
  const { url, stop } = await serviceRig(t, { settings: { hosts, trustedProxies: [us] } });
  const guess = (path: string, address: string) =>
    statusOf(`${url}${path}`, { ...basic('guess'), ...sayingFor(address) });
  for (const path of ['/v2/', '/v2/auth', '/v2/', '/v2/auth']) await guess(path, client);
  const answered: string[] = [];
  const held = ['/v2/', '/v2/auth'].map(async (path) => {
    const status = await guess(path, client);
    answered.push(path);
    return status;
  });
  for (const path of ['/v2/', '/v2/auth']) t.equal(await guess(path, '192.0.2.2'), 401);
  t.same(answered, []);
  await stop();
  t.same(await Promise.all(held), [401, 401]);
});
