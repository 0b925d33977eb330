import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fastify from 'fastify';
import { type Test, test } from 'tap';
import { RegistryError } from '../../../src/oci/errors.ts';
import { writeFailure } from '../../../src/proxy/http/failure.ts';
import { failure, failureHooks } from '../../../src/proxy/http/failure-hooks.ts';
import { listening } from '../../support/listening.ts';

const secret = 'hunter2';

async function framework(t: Test, error: unknown = new Error('x')): Promise<string> {
  const app = fastify({
    ...failureHooks,
    exposeHeadRoutes: false,
    http: { maxHeaderSize: 16 * 1024 },
    bodyLimit: 10,
    routerOptions: { maxParamLength: 20 },
    genReqId: () => 'id-1',
  });
  failure(app);
  app.get('/throws', async () => Promise.reject(error));
  app.get('/by/:name', async () => 'x');
  app.post('/takes', async () => 'x');
  t.teardown(() => app.close());
  return app.listen({ port: 0, host: '127.0.0.1' });
}

async function raw(t: Test, answer: (res: ServerResponse) => void): Promise<string> {
  const { host, close } = await listening(createServer((_, res) => answer(res)));
  t.teardown(close);
  return `http://${host}`;
}

async function exchange(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}

test('an error is answered with its code, its status, its detail and the request id', async (t) => {
  const error = new RegistryError('MANIFEST_UNKNOWN', 'no such manifest', {
    detail: { tag: 'latest' },
    headers: { 'x-more': 'yes' },
    cause: new Error(secret),
  });
  for (const url of [
    `${await framework(t, error)}/throws`,
    await raw(t, (res) => writeFailure(res, error, 'id-1')),
  ]) {
    const answer = await fetch(url);
    t.equal(answer.status, 404);
    t.match(Object.fromEntries(answer.headers), {
      'content-type': 'application/json',
      'docker-distribution-api-version': 'registry/2.0',
      'x-request-id': 'id-1',
      'x-more': 'yes',
    });
    t.same(await answer.json(), {
      errors: [
        {
          code: 'MANIFEST_UNKNOWN',
          message: 'no such manifest (request id-1)',
          detail: { tag: 'latest', requestId: 'id-1' },
        },
      ],
    });
  }
});

test('a stranger is a 500 that tells nothing', async (t) => {
  const stranger = Object.assign(new Error(secret), { statusCode: 418, code: secret });
  for (const url of [
    `${await framework(t, stranger)}/throws`,
    await raw(t, (res) => writeFailure(res, stranger, 'i')),
  ]) {
    const answer = await fetch(url);
    t.equal(answer.status, 500);
    const body = await answer.text();
    t.match(body, '"code":"UNKNOWN"');
    t.notMatch(body, secret);
  }
});

test('429 and 503 say when to come back', async (t) => {
  for (const [code, retryAfterSeconds, expected] of [
    ['TOOMANYREQUESTS', undefined, '1'],
    ['TOOMANYREQUESTS', 2.5, '3'],
    ['UNAVAILABLE', undefined, '5'],
    ['UNAVAILABLE', 30, '30'],
    ['DENIED', undefined, null],
  ] as const) {
    const error = new RegistryError(code, 'x', retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    const answer = await fetch(await raw(t, (res) => writeFailure(res, error, 'i')));
    t.equal(answer.headers.get('retry-after'), expected, code);
  }
});

test('a HEAD gets the head of the same answer', async (t) => {
  const error = new RegistryError('BLOB_UNKNOWN', 'x');
  const url = await raw(t, (res) => writeFailure(res, error, 'i'));
  const [get, head] = await Promise.all([fetch(url), fetch(url, { method: 'HEAD' })]);
  t.equal(head.status, 404);
  t.equal(head.headers.get('content-length'), get.headers.get('content-length'));
});

test('an answer that has begun is cut, never ended', async (t) => {
  const url = await raw(t, (res) => {
    res.writeHead(200, { 'content-length': 10 });
    res.write('12345', () => writeFailure(res, new Error('x'), 'i'));
  });
  const answer = await fetch(url);
  await t.rejects(answer.text());
});

test('what the framework refuses speaks as we do', async (t) => {
  const url = await framework(t);
  for (const [path, init, status, code] of [
    ['/nowhere', {}, 404, 'NAME_UNKNOWN'],
    ['/by/%zz', {}, 400, 'NAME_INVALID'],
    [`/by/${'a'.repeat(21)}`, {}, 414, 'NAME_INVALID'],
    [
      '/takes',
      { method: 'POST', body: '"0123456789"', headers: { 'content-type': 'application/json' } },
      413,
      'SIZE_INVALID',
    ],
    ['/takes', { method: 'POST', body: 'x', headers: { 'content-type': 'a/b' } }, 415, 'UNSUPPORTED'],
    [
      '/takes',
      { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } },
      400,
      'NAME_INVALID',
    ],
  ] as const) {
    const answer = await fetch(url + path, init);
    t.equal(answer.status, status, path);
    t.match(await answer.json(), { errors: [{ code, detail: { requestId: 'id-1' } }] }, path);
  }
});

test('what Node cannot read is answered in our words too', async (t) => {
  const url = await framework(t);
  const head = 'GET / HTTP/1.1\r\nHost: a\r\n';
  const tooLarge = await exchange(url, `${head}X: ${'a'.repeat(20_000)}\r\n\r\n`);
  t.match(tooLarge, /^HTTP\/1.1 431 Request Header Fields Too Large\r\n/);
  t.match(tooLarge, '"code":"HEADER_INVALID"');
  const garbage = await exchange(url, `${secret} \x00\x01\r\n\r\n`);
  t.match(garbage, /^HTTP\/1.1 400 Bad Request\r\n/);
  t.match(garbage, /content-type: application\/json\r\n/);
  t.notMatch(garbage, secret);
  const body = garbage.slice(garbage.indexOf('\r\n\r\n') + 4);
  t.match(garbage, `content-length: ${body.length}\r\n`);
});

test('garbage behind a request whose answer has begun is refused behind that answer', async (t) => {
  const app = fastify({ ...failureHooks });
  const rest = 'r'.repeat(995);
  app.get('/slow', (_, { raw }) => {
    raw.writeHead(200, { 'content-length': 1000 });
    raw.write('begun');
    app.server.once('clientError', () => raw.end(rest));
  });
  t.teardown(() => app.close());
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  let seen = '';
  for await (const chunk of socket) {
    seen += String(chunk);
    if (seen.endsWith('begun')) socket.write('\x00garbage\r\n\r\n');
  }
  t.match(seen.slice(seen.indexOf('begun')), new RegExp(`^begun${rest}HTTP/1\\.1 400 Bad Request\\r\\n`));
});

test('what the framework cannot route is in the request log too, without its path', async (t) => {
  const lines: string[] = [];
  const app = fastify({
    ...failureHooks,
    logger: { level: 'info', stream: { write: (line: string) => lines.push(line) } },
    genReqId: () => 'id-1',
  });
  failure(app);
  t.teardown(() => app.close());
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  lines.length = 0;
  await fetch(`${url}/${secret}%zz`);
  const line = lines.find((each) => each.includes('"msg":"request"')) ?? '{}';
  t.match(JSON.parse(line), { requestId: 'id-1', method: 'GET', status: 400, error: 'NAME_INVALID' });
  t.notMatch(line, secret);
});
