import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { type Test, test } from 'tap';
import { RegistryError } from '../../../src/oci/errors.ts';
import {
  type ParityFacts,
  type ParityLine,
  parityLines,
  parityLog,
} from '../../../src/predecessors/outputs/parity-log.ts';
import { failure } from '../../../src/proxy/http/failure-hooks.ts';
import { requestLog } from '../../../src/proxy/http/request-log.ts';

const manifest = '/v2/openshift/ci/manifests/ocp_4.20_cli';

/** The messages for a request, without the line of access that ends them all, and their fields. */
function told(facts: Partial<ParityFacts>): [string, ParityLine['fields']][] {
  const lines = parityLines({
    method: 'GET',
    path: manifest,
    status: 200,
    bytes: 0,
    seconds: 0.001,
    client: '10.0.0.1',
    shown: { kind: 'bearer' },
    ...facts,
  });
  return lines.slice(0, -1).map(({ message, fields }) => [message, fields]);
}

const basic = { kind: 'basic', username: 'anything' } as const;

test('every request has a line of access, with its duration in nanoseconds', (t) => {
  const facts = { method: 'HEAD', path: manifest, status: 200, bytes: 7, seconds: 0.25, client: '10.0.0.1' };
  t.same(parityLines({ ...facts, shown: { kind: 'bearer' }, subject: 'alice' }).at(-1), {
    level: 'debug',
    message: 'Access log',
    fields: {
      method: 'HEAD',
      uri: manifest,
      code: 200,
      size: 7,
      duration: 250_000_000,
      token: true,
      host: '10.0.0.1',
    },
  });
  t.equal(parityLines({ ...facts, shown: basic }).at(-1)?.fields['token'], false);
  t.end();
});

test('a pull that is answered tells of its token and its status', (t) => {
  t.same(told({ subject: 'alice', cluster: 'app.ci' }), [
    ['Proxy received request', { path: manifest }],
    ['Replacing bearer token ...', {}],
    ['Proxy responded', { statusCode: 200 }],
  ]);
  t.end();
});

test('a pull that is refused tells of no token: none went on', (t) => {
  t.same(told({ subject: 'bob', cluster: 'app.ci', verdict: 'refused', status: 403, error: 'DENIED' }), [
    ['Proxy received request', { path: manifest }],
    ['Proxy responded', { statusCode: 403 }],
  ]);
  t.end();
});

test('a pull without a token, and one with a token that is not accepted, are told apart', (t) => {
  t.same(told({ status: 401, shown: { kind: 'none' } }), [['Found no token', { path: manifest }]]);
  t.same(told({ status: 401, error: 'UNAUTHORIZED', challenge: 'Bearer realm="x"' }), [
    ['Proxy received request', { path: manifest }],
    ['Failed to validate token', { error: 'UNAUTHORIZED' }],
    ['Proxy responded', { authenticateHeader: 'Bearer realm="x"' }],
  ]);
  t.end();
});

test('logins are told for users, for the robot, and for those who are not let in', (t) => {
  const login = { path: '/v2/auth', shown: basic };
  const path = '/v2/auth';
  t.same(told({ ...login, subject: 'alice', cluster: 'app.ci' }), [
    ['Provide token for user', { path, username: 'alice' }],
    ['Provided token for user', { path, username: 'alice' }],
  ]);
  t.same(told({ ...login, subject: 'openshift+robot' }), [
    ['Providing token for the CI robot user', { path, username: 'openshift+robot' }],
    ['Provided token for the CI robot user', { path, username: 'openshift+robot' }],
  ]);
  t.same(told({ ...login, status: 401, error: 'UNAUTHORIZED' }), [
    ['Failed to validate the user', { path, username: 'anything', error: 'UNAUTHORIZED', valid: false }],
  ]);
  t.same(told({ ...login, status: 401, shown: { kind: 'none' } }), [
    ['Failed to get basic auth', { path, basic: false }],
  ]);
  t.same(told({ ...login, status: 500, error: 'UNKNOWN' }), [
    ['Failed to set up token.', { username: 'anything', error: 'UNKNOWN' }],
  ]);
  t.end();
});

test('a health check has its line of access alone', (t) => {
  t.same(told({ path: '/healthz', shown: { kind: 'none' } }), []);
  t.end();
});

/** The lines for one request to a server that answers as told. */
async function written(t: Test, answer: (reply: FastifyReply) => void, headers: Record<string, string>) {
  const lines: ParityLine[] = [];
  const app: FastifyInstance = fastify();
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  failure(app);
  requestLog(app, { log: { info: () => undefined } });
  parityLog(app, {
    write(line) {
      lines.push(line);
      if (line.message === 'Access log') resolve();
    },
  });
  app.all('/*', (_request, reply) => answer(reply));
  t.teardown(() => app.close());
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  await fetch(`${url}/v2/auth?account=x&token=hunter2`, { headers });
  await isOver;
  return lines;
}

test('what a client shows is told by its form: neither the secret nor the query', async (t) => {
  const authorization = `Basic ${Buffer.from('bob:hunter2').toString('base64')}`;
  const lines = await written(
    t,
    () => {
      throw new RegistryError('UNAUTHORIZED', 'no', { headers: { 'www-authenticate': 'Bearer realm="x"' } });
    },
    { authorization },
  );
  t.match(lines[0], { fields: { username: 'bob', valid: false, path: '/v2/auth' } });
  t.match(lines[1], { fields: { uri: '/v2/auth', code: 401, token: false } });
  t.notMatch(JSON.stringify(lines), 'hunter2');
});

test('a client that left has the status of one that left', async (t) => {
  const lines: ParityLine[] = [];
  const app: FastifyInstance = fastify({ forceCloseConnections: true });
  requestLog(app, { log: { info: () => undefined } });
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  parityLog(app, {
    write(line) {
      lines.push(line);
      resolve();
    },
  });
  const leaving = new AbortController();
  app.get('/*', (_request, reply) => {
    reply.hijack();
    leaving.abort();
  });
  t.teardown(() => app.close());
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  await t.rejects(fetch(`${url}/some`, { signal: leaving.signal }));
  await isOver;
  t.match(lines.at(-1), { message: 'Access log', fields: { code: 499 } });
});
