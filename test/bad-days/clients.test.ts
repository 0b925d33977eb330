import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { blobKey } from '../../src/store/keys.ts';
import { until } from '../support/bodies.ts';
import { badDay, digestOrCut, exchanged, holdsOnly, layerBytes, refusal, sampleOf } from './rig.ts';

for (const atByte of [0, 1, 150_000, layerBytes - 1]) {
  test(`a client that leaves at byte ${atByte} ends no download, and the next one joins it or has it`, async (t) => {
    const { url, getLayer, double, layer, directory, metrics } = await badDay(t);
    double.switches.bytesPerSecond = 2_000_000;
    await leftAt(atByte, `${url}/v2/openshift/ci/blobs/${layer.digest}`);
    t.equal(await digestOrCut(await getLayer()), layer.digest);
    t.equal(double.seen(`GET /v2/openshift/ci/blobs/${layer.digest}`).length, 1);
    await holdsOnly(directory, [blobKey(layer.digest)]);
    await until(
      async () => sampleOf(await metrics(), 'quayside_fills_running') === 0,
      'the end of the download',
    );
  });
}

test('a client that leaves a warm blob holds nothing', async (t) => {
  const { url, getLayer, layer, stop } = await badDay(t, { settings: { shutdownGraceMs: '60s' } });
  await digestOrCut(await getLayer());
  await leftAt(1, `${url}/v2/openshift/ci/blobs/${layer.digest}`);
  t.equal(await digestOrCut(await getLayer()), layer.digest);
  await stop();
});

test('a client that leaves while it waits for the upstream does not count as one that fails', async (t) => {
  const rig = await badDay(t);
  rig.double.switches.delayMs = 200;
  const leaving = new AbortController();
  const left = rig.getLayer({ signal: leaving.signal }).catch(() => 'left');
  await until(() => rig.double.requests.length === 1, 'the question');
  leaving.abort();
  t.equal(await left, 'left');
  await until(() => rig.log.some(({ status }) => status === 499), 'the line in the log');
  delete rig.double.switches.delayMs;
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  t.equal(rig.double.seen('GET /v2/openshift/ci/blobs/').length, 1);
});

test('a client that reads at 10 KB/s slows down no other client, cold or warm', async (t) => {
  const { url, getLayer, double, layer } = await badDay(t);
  const path = `${url}/v2/openshift/ci/blobs/${layer.digest}`;
  const cold = await slowReader(path);
  t.equal(await digestOrCut(await getLayer()), layer.digest);
  const warm = await slowReader(path);
  t.equal(await digestOrCut(await getLayer()), layer.digest);
  t.equal(double.seen(`GET /v2/openshift/ci/blobs/${layer.digest}`).length, 1);
  t.same([cold.isDone(), warm.isDone()], [false, false]);
  t.same(await Promise.all([cold.rest(), warm.rest()]), [layerBytes, layerBytes]);
});

test('no slot and no queue left is 429 with a time to come back, and counted', async (t) => {
  const { get, double, metrics, image } = await badDay(t, {
    settings: { limits: { read: { maxRunning: 1, maxInQueue: 0 } } },
  });
  const answered = Promise.withResolvers<void>();
  double.switches.holds = answered.promise;
  const first = get('manifests/tools');
  await until(() => double.requests.length === 1, 'the question');
  for (const path of ['manifests/tools', 'tags/list']) {
    t.match(await refusal(await get(path)), { status: 429, code: 'TOOMANYREQUESTS', retryAfter: 1 }, path);
  }
  const refusals = 'quayside_requests_limited_total{limit="read",reason="queue-full"}';
  t.equal(sampleOf(await metrics(), refusals), 2);
  answered.resolve();
  t.equal(await digestOrCut(await first), image.digest);
  // The client has the last byte before the slot is free.
  await until(async () => (await get('manifests/tools')).status === 200, 'the free slot');
});

test('one that waits too long in the queue is 429, and writes have a bound of their own', async (t) => {
  const { url, get, double } = await badDay(t, {
    settings: { limits: { read: { maxRunning: 1, maxInQueue: 1, maxWaitInQueueMs: '50ms' } } },
  });
  const answered = Promise.withResolvers<void>();
  double.switches.holds = answered.promise;
  const first = get('tags/list');
  await until(() => double.requests.length === 1, 'the question');
  const waiting = get('manifests/tools');
  t.equal((await fetch(`${url}/v2/openshift/ci/manifests/x`, { method: 'PUT' })).status, 405);
  t.match(await refusal(await waiting), { status: 429, code: 'TOOMANYREQUESTS', retryAfter: 1 });
  answered.resolve();
  await digestOrCut(await first);
});

/** Two clients that read nothing of a blob, and the status of a third one's first byte of it. */
async function unreadBlob(t: Test, limits: Readonly<Record<string, unknown>> = {}) {
  const rig = await badDay(t, {
    settings: { limits: { ...limits, blobs: { maxRunning: 2, maxInQueue: 0 } } },
  });
  // Larger than what the kernel takes for a client.
  const [large] = rig.double.addImage('openshift/ci', 'large', { layers: [16 * 1024 * 1024] }).layers;
  const path = `blobs/${large?.digest}`;
  const clients = [1, 2].map(() => unreadAnswer(rig.url, `/v2/openshift/ci/${path}`));
  t.teardown(() => clients.forEach((client) => void client.destroy()));
  const third = async () => (await rig.get(path, { headers: { range: 'bytes=0-0' } })).status;
  return { ...rig, third };
}

test('downloads without readers delay no small answer', async (t) => {
  const { url, get, image, third } = await unreadBlob(t);
  await until(async () => (await third()) === 429, 'both slots taken');
  t.equal(await digestOrCut(await get('manifests/tools')), image.digest);
  t.equal((await fetch(`${url}/v2/`)).status, 200);
});

test('downloads without readers are cut, and their slots are free again', async (t) => {
  const { metrics, third } = await unreadBlob(t, { idleClientMs: '300ms' });
  const cut = async () => sampleOf(await metrics(), 'quayside_idle_clients_cut_total');
  await until(async () => (await cut()) === 2, 'both clients cut');
  await until(async () => (await third()) === 206, 'a free slot');
});

test('a client that waits for us longer than idle ones may is not cut', async (t) => {
  const { getLayer, double, layer } = await badDay(t, { settings: { limits: { idleClientMs: '100ms' } } });
  double.switches.delayMs = 400;
  t.equal(await digestOrCut(await getLayer()), layer.digest);
});

test('a download under way ends well while the service stops, and no new connection is accepted', async (t) => {
  const { url, getLayer, double, layer, stop, directory } = await badDay(t, {
    settings: { shutdownGraceMs: '60s' },
  });
  double.switches.bytesPerSecond = 1_000_000;
  const running = await getLayer();
  const stopped = stop();
  await until(async () => (await fetch(`${url}/v2/`).catch(() => undefined)) === undefined, 'closed doors');
  t.equal(await digestOrCut(running), layer.digest);
  await stopped;
  await holdsOnly(directory, [blobKey(layer.digest)]);
});

test('a download whose client has left is finished before the end', async (t) => {
  const { url, double, layer, stop, directory } = await badDay(t, { settings: { shutdownGraceMs: '60s' } });
  double.switches.bytesPerSecond = 2_000_000;
  await leftAt(1, `${url}/v2/openshift/ci/blobs/${layer.digest}`);
  await stop();
  await holdsOnly(directory, [blobKey(layer.digest)]);
});

test('a client that leaves within its form is no failure of ours', async (t) => {
  const rig = await badDay(t);
  const form = httpRequest(`${rig.url}/v2/auth`, {
    method: 'POST',
    agent: false,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': 100,
      expect: '100-continue',
    },
  });
  form.on('error', () => {}).flushHeaders();
  await once(form, 'continue');
  form.destroy();
  await until(() => rig.log.some(({ path, status }) => path === '/v2/auth' && status === 499), 'its line');
  t.same(
    rig.log.filter(({ level }) => level === 'error'),
    [],
  );
});

test('requests sent at once on one connection are answered in their order', async (t) => {
  const { url, image, layer } = await badDay(t);
  const paths = [`blobs/${layer.digest}`, 'manifests/.malformed', 'manifests/tools'];
  const lines = paths.map((path) => `HEAD /v2/openshift/ci/${path} HTTP/1.1\r\nHost: a\r\n`);
  const answers = await exchanged(url, `${lines.join('\r\n')}Connection: close\r\n\r\n`);
  t.equal(answers.headers.get('docker-content-digest'), layer.digest);
  const [refused = '', manifest = ''] = (await answers.text()).split('\r\n\r\n');
  t.match(refused, /^HTTP\/1\.1 404 /);
  t.match(manifest, image.digest);
});

test('a download that outlives the grace time is cut, and leaves nothing', async (t) => {
  const { getLayer, double, stop, directory, log } = await badDay(t, {
    settings: { shutdownGraceMs: '2200ms' },
    upstream: { progressTimeoutMs: '60s' },
  });
  double.switches.stallsAfter = { bytes: 150_000, times: Number.POSITIVE_INFINITY };
  const running = await getLayer();
  await Promise.all([stop(), t.resolveMatch(digestOrCut(running), 'cut')]);
  await holdsOnly(directory);
  t.notOk(log.some(({ level }) => level === 'error'));
});

test('a client that keeps its connection does not hold up the end', async (t) => {
  const { url, get, stop } = await badDay(t, { settings: { shutdownGraceMs: '60s' } });
  for (let times = 0; times < 5; times += 1) t.equal((await get('manifests/tools')).status, 200);
  const { socket } = await answered(`${url}/v2/`);
  await stop();
  await until(() => socket.destroyed, 'the end of the connection');
});

async function answered(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { agent: false, headers: { connection: 'keep-alive' } }, resolve)
      .once('error', reject)
      .end();
  });
}

/** Reads so many bytes and drops the connection. */
async function leftAt(atByte: number, url: string): Promise<void> {
  const response = await answered(url);
  let seen = 0;
  if (atByte > 0)
    for await (const chunk of response as AsyncIterable<Buffer>) {
      seen += chunk.byteLength;
      if (seen >= atByte) break;
    }
  response.destroy();
}

/** Takes 1 KB each 100 ms from its socket until it is told to take the rest. */
/** Asks for it and reads nothing. */
function unreadAnswer(url: string, path: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).pause();
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
}

async function slowReader(url: string) {
  const response = await answered(url);
  let isHurried = false;
  let isDone = false;
  const read = async () => {
    let seen = 0;
    while (!response.readableEnded) {
      const chunk: Buffer | null = response.read(isHurried ? undefined : 1_000);
      seen += chunk?.byteLength ?? 0;
      if (!isHurried || chunk === null) await pause(isHurried ? 1 : 100);
    }
    isDone = true;
    return seen;
  };
  const whole = read();
  return {
    isDone: () => isDone,
    rest: () => {
      isHurried = true;
      return whole;
    },
  };
}
