import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import fastify, { type FastifyInstance } from 'fastify';
import { type Test, test } from 'tap';
import type { Bytes } from '../../../src/oci/content.ts';
import type { ProxyEvents } from '../../../src/proxy/events.ts';
import { send } from '../../../src/proxy/http/body.ts';
import { failure, failureHooks } from '../../../src/proxy/http/failure-hooks.ts';
import { createRequestIds, requestLog } from '../../../src/proxy/http/request-log.ts';
import { until } from '../../support/bodies.ts';

type Line = Readonly<Record<string, unknown>>;

async function served(t: Test, routes: (app: FastifyInstance) => void) {
  const lines: Line[] = [];
  const answered: Parameters<ProxyEvents['answered']>[0][] = [];
  const { promise: written, resolve } = Promise.withResolvers<void>();
  const app = fastify({ ...failureHooks, genReqId: createRequestIds().of });
  failure(app);
  requestLog(app, {
    log: {
      info(fields) {
        lines.push(fields);
        resolve();
      },
    },
    events: { answered: (event) => answered.push(event) },
  });
  routes(app);
  t.teardown(() => app.close());
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), lines, answered, written };
}

test('one line a request says what was asked, what came of it, and how long it took', async (t) => {
  const { url, lines, answered, written } = await served(t, (app) => {
    app.get('/v2/*', (_, reply) => {
      reply.hijack();
      Object.assign(reply.record, { hit: 'memory', subject: 'robot', upstream: 'quay.io', bytes: 2 });
      reply.record.firstByteAtMs = performance.now();
      reply.raw.end('OK');
    });
  });
  await fetch(`${url}/v2/a%2Fb/manifests/x?ns=quay.io&token=hunter2`, {
    headers: { 'user-agent': 'podman/5', 'x-request-id': 'mine-1' },
  });
  await written;
  t.equal(lines.length, 1);
  t.match(lines[0], {
    requestId: 'mine-1',
    method: 'GET',
    path: '/v2/a/b/manifests/x',
    status: 200,
    bytes: 2,
    hit: 'memory',
    subject: 'robot',
    upstream: 'quay.io',
    userAgent: 'podman/5',
    client: '127.0.0.1',
    firstByteMs: Number,
    totalMs: Number,
  });
  t.match(answered, [{ kind: 'manifest', status: 200, firstByteSeconds: Number, totalSeconds: Number }]);
});

test('a refusal is written down with its code', async (t) => {
  const { url, lines, written } = await served(t, () => undefined);
  await fetch(`${url}/nowhere`);
  await written;
  t.match(lines, [{ status: 404, error: 'NAME_UNKNOWN', path: '/nowhere' }]);
});

test('a client that leaves in the middle is written down as such', async (t) => {
  const { url, lines, answered, written } = await served(t, (app) => {
    app.get('/v2/*', (_, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { 'content-length': 1000 });
      reply.raw.write('begun');
    });
  });
  const request = httpRequest(`${url}/v2/a/blobs/x`).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.destroy();
  await written;
  t.match(lines, [{ status: 499 }]);
  t.match(answered, [{ kind: 'blob', status: 499 }]);
});

test('a client that leaves once it has every byte has had its answer, though that is not ended yet', async (t) => {
  const { url, lines, written } = await served(t, (app) => {
    app.get('/v2/*', async ({ url }, { record, raw }) => {
      record.length = url.endsWith('/whole') ? 4 : 5;
      raw.writeHead(200, { 'content-length': record.length });
      // What a body's source does behind its last byte, such as the release of a file.
      async function* body(): Bytes {
        yield Buffer.from('body');
        await once(raw, 'close');
      }
      await send(raw, body(), {
        sent(bytes) {
          record.bytes += bytes;
        },
      });
    });
  });
  for (const name of ['whole', 'short']) {
    const request = httpRequest(`${url}/v2/a/blobs/${name}`, { agent: false }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await once(response, 'data');
    response.destroy();
  }
  await written;
  await until(() => lines.length === 2);
  const statuses = Object.fromEntries(lines.map(({ path, status }) => [path, status]));
  t.same(statuses, { '/v2/a/blobs/whole': 200, '/v2/a/blobs/short': 499 });
});

test('long and odd paths and user agents are bounded, and no other field of the header is written', async (t) => {
  const { url, lines, written } = await served(t, () => undefined);
  await fetch(`${url}/${'a'.repeat(2000)}`, {
    headers: { 'user-agent': 'b'.repeat(2000), authorization: 'Bearer hunter2', cookie: 'hunter2' },
  });
  await written;
  t.equal(String(lines[0]?.['path']).length, 512);
  t.equal(String(lines[0]?.['userAgent']).length, 200);
  t.notMatch(JSON.stringify(lines), 'hunter2');
});

test('a request id is taken over if it is sane, and made otherwise', async (t) => {
  const { url } = await served(t, () => undefined);
  const idOf = async (given: string): Promise<string | null> =>
    (await fetch(url, { headers: { 'x-request-id': given } })).headers.get('x-request-id');
  t.equal(await idOf('A.b_c-1'), 'A.b_c-1');
  const made = await Promise.all(['', 'a b', 'x'.repeat(65), '<script>', 'a"b'].map(idOf));
  for (const id of made) t.match(id, /^[A-Za-z0-9]{8}-[0-9a-z]+$/);
  t.equal(new Set(made).size, made.length, 'each its own');
});
