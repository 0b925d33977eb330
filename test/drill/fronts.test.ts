import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { type Test, test } from 'tap';
import type { HttpFault } from '../../src/drill/fronts/faults.ts';
import { createHttpFront } from '../../src/drill/fronts/http-front.ts';
import { createTcpFront } from '../../src/drill/fronts/tcp-front.ts';
import { listening } from '../support/listening.ts';

const body = Buffer.alloc(5_000, 7);

/** A front before a server that answers with `body`, or with the path it was asked. */
async function rig(t: Test) {
  const server = createServer((request, response) => {
    const answer = request.url === '/body' ? body : Buffer.from(request.url ?? '');
    const headers = { 'content-length': answer.byteLength, 'docker-content-digest': `of ${request.url}` };
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : answer);
  });
  const { host, close } = await listening(server);
  const front = await createHttpFront(`http://${host}`);
  t.teardown(close);
  t.teardown(() => front.close());
  const under = (fault: HttpFault): typeof front => {
    front.set(fault);
    return front;
  };
  return { front, under, host };
}

/** Reads the body too. */
async function statusOf(url: string): Promise<number> {
  const answer = await fetch(url);
  await answer.arrayBuffer();
  return answer.status;
}

test('a front without a fault passes everything', async (t) => {
  const { front } = await rig(t);
  t.same(Buffer.from(await (await fetch(`${front.url}/body`)).arrayBuffer()), body);
});

test('a dead server resets connections, and serves again after that', async (t) => {
  const { front, under } = await rig(t);
  await t.rejects(fetch(`${under({ kind: 'dead' }).url}/body`));
  front.set(undefined);
  t.equal(await statusOf(`${front.url}/body`), 200);
});

test('a silent server answers nothing, and breaks off what waits when it is back', async (t) => {
  const { front, under } = await rig(t);
  const waiting = fetch(`${under({ kind: 'silent' }).url}/body`).then(
    () => 'answered',
    () => 'broken',
  );
  t.equal(await Promise.race([waiting, new Promise((done) => setImmediate(done, 'waiting'))]), 'waiting');
  await fetch(`${front.url}/x`, { signal: AbortSignal.timeout(100) }).catch(() => undefined);
  front.set(undefined);
  t.equal(await waiting, 'broken');
});

test('a connection that was idle when the server fell silent is of use again after that', async (t) => {
  const { front } = await rig(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const asked = async () => {
    const answer = request(`${front.url}/x`, { agent }).end();
    const [response] = await once(answer, 'response');
    const { localPort } = response.socket;
    await once(response.resume(), 'end');
    return localPort;
  };
  const port = await asked();
  await new Promise((done) => setImmediate(done));
  front.set({ kind: 'silent' });
  front.set(undefined);
  t.equal(await asked(), port);
});

test('garbled bytes have the length of the right ones', async (t) => {
  const { under } = await rig(t);
  const answer = await fetch(`${under({ kind: 'garbled' }).url}/body`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  t.equal(bytes.byteLength, body.byteLength);
  t.notSame(bytes, body);
});

test('a truncated body is half, by its own words; a cut one breaks off', async (t) => {
  const { under } = await rig(t);
  const short = await fetch(`${under({ kind: 'truncated' }).url}/body`);
  t.equal((await short.arrayBuffer()).byteLength, 2_500);
  await t.rejects(fetch(`${under({ kind: 'cut' }).url}/body`).then((answer) => answer.arrayBuffer()));
});

test('a fault meets only the requests that it is for', async (t) => {
  const { under } = await rig(t);
  const answer = { status: 503, headers: {}, body: 'no' };
  const { url } = under({ kind: 'status', answer, meets: (_method, path) => path === '/body' });
  t.equal(await statusOf(`${url}/body`), 503);
  t.equal(await statusOf(`${url}/other`), 200);
});

test('a front counts what met its fault', async (t) => {
  const { front, under } = await rig(t);
  const answer = { status: 503, headers: {}, body: 'no' };
  const { url } = under({ kind: 'status', answer, meets: (_method, path) => path === '/body' });
  await statusOf(`${url}/other`);
  t.equal(front.met(), 0);
  await statusOf(`${url}/body`);
  t.equal(front.met(), 1);
  under({ kind: 'dead' });
  t.equal(front.met(), 0, 'a connection that nobody used');
  while (front.met() === 0) await t.rejects(fetch(`${url}/body`));
  front.set(undefined);
  await statusOf(`${url}/body`);
  t.equal(front.met(), 0);
});

test('a swapped manifest is said to be the one that was asked for', async (t) => {
  const { under } = await rig(t);
  const { url } = under({ kind: 'swapped', instead: () => '/another' });
  const answer = await fetch(`${url}/v2/x/manifests/v1`);
  t.equal(await answer.text(), '/another');
  t.equal(answer.headers.get('docker-content-digest'), 'of /v2/x/manifests/v1');
});

test('a door counts the connections that it resets', async (t) => {
  const { host } = await rig(t);
  const door = await createTcpFront(() => [Number(host.split(':')[1])]);
  t.teardown(() => door.close());
  const ask = () => fetch(`http://${door.host}/1`, { headers: { connection: 'close' } });
  await (await ask()).text();
  t.equal(door.met(), 0);
  door.set('dead');
  await t.rejects(ask());
  t.ok(door.met() > 0);
});

test('a door passes over what refuses connections', async (t) => {
  const { host } = await rig(t);
  const gone = await listening(createServer());
  await gone.close();
  const door = await createTcpFront(() => [gone.port, Number(host.split(':')[1])]);
  t.teardown(() => door.close());
  for (const path of ['/1', '/2', '/3']) {
    const answer = await fetch(`http://${door.host}${path}`, { headers: { connection: 'close' } });
    t.equal(await answer.text(), path);
  }
});
