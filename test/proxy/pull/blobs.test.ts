import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type Test, test } from 'tap';
import { type BadDay, badDay, digestOrCut, layerBytes, refusal } from '../../bad-days/rig.ts';
import { until } from '../../support/bodies.ts';
import { createOwnWatch } from '../../support/own-watch.ts';

/** A service that has the image in its store. */
async function warm(t: Test): Promise<BadDay> {
  const rig = await badDay(t);
  await (await rig.get('manifests/tools')).arrayBuffer();
  await (await rig.getLayer()).arrayBuffer();
  await until(async () => (await rig.metrics()).includes('quayside_fills_total{outcome="stored"} 1'));
  return rig;
}

test('a HEAD says what a GET would, and why', async (t) => {
  const rig = await warm(t);
  const response = await rig.getLayer({ method: 'HEAD' });
  t.equal(response.status, 200);
  t.match(Object.fromEntries(response.headers), {
    'content-length': `${layerBytes}`,
    'docker-content-digest': rig.layer.digest,
    'accept-ranges': 'bytes',
    'quayside-cache': 'hit; memory',
  });
});

test('what the client holds is not sent again, by GET or HEAD, by name or by star', async (t) => {
  const rig = await warm(t);
  for (const method of ['GET', 'HEAD']) {
    for (const tag of [
      `"${rig.layer.digest}"`,
      `W/"${rig.layer.digest}"`,
      `"other", "${rig.layer.digest}"`,
      '*',
    ]) {
      const response = await rig.getLayer({ method, headers: { 'if-none-match': tag } });
      t.equal(response.status, 304, `${method} ${tag}`);
      t.match(Object.fromEntries(response.headers), {
        etag: `"${rig.layer.digest}"`,
        'docker-content-digest': rig.layer.digest,
        'quayside-cache': 'hit; memory',
      });
    }
  }
  t.equal((await rig.get('manifests/tools', { headers: { 'if-none-match': '*' } })).status, 304);
});

test('a star holds nothing that is not there', async (t) => {
  const rig = await warm(t);
  const response = await rig.get(`blobs/sha256:${'0'.repeat(64)}`, { headers: { 'if-none-match': '*' } });
  t.match(await refusal(response), { status: 404, code: 'BLOB_UNKNOWN' });
});

test('one part is a plain 206, several are multipart, in the order asked', async (t) => {
  const rig = await warm(t);
  const { bytes } = rig.layer;
  const one = await rig.getLayer({ headers: { range: `bytes=10-19,${layerBytes}-` } });
  t.equal(one.status, 206, 'also when it is all that is left of a list');
  t.equal(one.headers.get('content-range'), `bytes 10-19/${layerBytes}`);
  t.equal(one.headers.get('docker-content-digest'), rig.layer.digest);
  t.ok(Buffer.from(await one.arrayBuffer()).equals(bytes.subarray(10, 20)));
  const two = await rig.getLayer({ headers: { range: 'bytes=100-109,0-9' } });
  t.equal(two.status, 206);
  t.equal(two.headers.get('docker-content-digest'), rig.layer.digest);
  const boundary = /boundary=(\w+)/.exec(two.headers.get('content-type') ?? '')?.[1];
  const parts = [`100-109`, `0-9`].map((range) => {
    const [start = 0, end = 0] = range.split('-').map(Number);
    const body = bytes.subarray(start, end + 1).toString('latin1');
    return `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${range}/${layerBytes}\r\n\r\n${body}`;
  });
  const text = Buffer.from(await two.arrayBuffer()).toString('latin1');
  t.equal(text, `${parts.join('')}\r\n--${boundary}--\r\n`);
  t.equal(two.headers.get('content-length'), `${text.length}`);
});

test('a list of ranges that asks for more than the blob holds is answered with the blob', async (t) => {
  const rig = await warm(t);
  for (const range of [Array(1_000).fill('0-').join(), `0-,${layerBytes - 1}-`]) {
    const response = await rig.getLayer({ headers: { range: `bytes=${range}` } });
    t.equal(response.status, 200);
    t.equal(await digestOrCut(response), rig.layer.digest);
  }
});

test('a range holds only if the client has part of the same blob', async (t) => {
  const rig = await warm(t);
  const { digest } = rig.layer;
  for (const [tag, status] of [
    [`"${digest}"`, 206],
    [`W/"${digest}"`, 200],
    ['"other"', 200],
    ['Sat, 01 Jan 2026 00:00:00 GMT', 200],
  ] as const) {
    const response = await rig.getLayer({ headers: { range: 'bytes=0-9', 'if-range': tag } });
    t.equal(response.status, status, tag);
    await response.body?.cancel();
  }
});

test('a client that leaves a download which does not go on gives its place to the next', async (t) => {
  const rig = await badDay(t, {
    settings: { limits: { blobs: { maxRunning: 1, maxInQueue: 1, maxWaitInQueueMs: '20s' } } },
    upstream: { progressTimeoutMs: '20s' },
  });
  rig.double.switches.stallsAfter = { bytes: 100_000, times: 1 };
  const control = new AbortController();
  const response = await rig.getLayer({ signal: control.signal });
  const reader = response.body?.getReader();
  for (let seen = 0; seen < 100_000; ) seen += (await reader?.read())?.value?.byteLength ?? 0;
  const ownMs = createOwnWatch();
  control.abort();
  t.equal((await rig.get(`blobs/${rig.image.config}`)).status, 200);
  t.ok(ownMs() < 10_000);
});

const one = { maxRunning: 1, maxInQueue: 1, maxWaitInQueueMs: '20s' };

test('a client that leaves while the upstream hangs gives its place to the next', async (t) => {
  const rig = await badDay(t, {
    settings: { limits: { read: one, blobs: one } },
    upstream: { firstByteTimeoutMs: '20s', retries: 0 },
  });
  await (await rig.get('manifests/tools')).arrayBuffer();
  rig.double.switches.delayMs = 20_000;
  for (const path of [`blobs/${rig.layer.digest}`, 'manifests/other', 'tags/list']) {
    const counted = rig.double.requests.length;
    const control = new AbortController();
    const left = rig.get(path, { signal: control.signal }).catch(() => 'left');
    await until(() => rig.double.requests.length > counted, 'the question');
    control.abort();
    t.equal(await left, 'left');
    const ownMs = createOwnWatch();
    t.equal((await rig.get('manifests/tools')).status, 200);
    t.ok(ownMs() < 10_000, path);
  }
});

test('the head goes out soon though the first byte is late: a client that waits 30 s for it does not leave', async (t) => {
  const rig = await badDay(t, { upstream: { progressTimeoutMs: '20s' } });
  await (await rig.get('manifests/tools')).arrayBuffer();
  rig.double.switches.stallsAfter = { bytes: 0, times: 1 };
  const control = new AbortController();
  const response = await rig.getLayer({ signal: control.signal });
  t.equal(response.status, 200);
  t.equal(response.headers.get('content-length'), `${layerBytes}`);
  control.abort();
});

test('requests on one connection follow each other, also after bytes that the kernel sent, and the log counts them', async (t) => {
  const rig = await warm(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const ports = new Set<number | undefined>();
  const path = `/v2/openshift/ci/blobs/${rig.layer.digest}`;
  for (const [range, bytes] of [
    [undefined, rig.layer.bytes],
    ['bytes=1-300000', rig.layer.bytes.subarray(1, 300_001)],
    [undefined, rig.layer.bytes],
  ] as const) {
    const asked = request(`${rig.url}${path}`, { agent, headers: range === undefined ? {} : { range } });
    const [response] = (await once(asked.end(), 'response')) as [IncomingMessage];
    ports.add(response.socket.localPort);
    t.ok(bytes.equals(await buffer(response)));
  }
  t.equal(ports.size, 1);
  const lengths = () =>
    rig.log.filter((line) => line.msg === 'request' && line['path'] === path).map(({ bytes }) => bytes);
  await until(() => lengths().length === 4);
  t.same(lengths(), [layerBytes, layerBytes, 300_000, layerBytes]);
});
