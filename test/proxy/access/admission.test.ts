import type { IncomingHttpHeaders } from 'node:http';
import { test } from 'tap';
import type { Authorizer, Subject } from '../../../src/auth/access.ts';
import { createGuard } from '../../../src/auth/guards/guard.ts';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { parseChallenges } from '../../../src/oci/challenge.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRequest } from '../../../src/oci/request.ts';
import { type AdmissionOptions, createAdmission } from '../../../src/proxy/access/admission.ts';
import { createHosts } from '../../../src/proxy/access/hosts.ts';
import { createRouter } from '../../../src/proxy/access/route.ts';
import type { ProxyEvents } from '../../../src/proxy/events.ts';

const keys = randomTokenKeys();
const right = `Basic ${Buffer.from('robot:right').toString('base64')}`;
const wrong = `Basic ${Buffer.from('robot:hunter2').toString('base64')}`;
const digest = `sha256:${'0'.repeat(64)}`;

interface Door extends Partial<AdmissionOptions> {
  readonly authorize?: Authorizer['authorize'];
  readonly authenticate?: () => Promise<Subject | undefined>;
}

function door({ authorize, authenticate, ...options }: Door = {}) {
  const host = createGuard({
    authenticator: {
      authenticate:
        authenticate ??
        (async (shown) =>
          shown.kind === 'basic' && shown.password === 'right' ? { name: 'robot', groups: [] } : undefined),
    },
    authorizer: {
      authorize: authorize ?? (async () => ({ allowed: true, rule: 'robots' })),
      visible: async (_subject, _place, tags) => tags,
    },
    tokens: createTokens({ keys: () => keys, audience: 'cache.example' }),
  });
  const admit = createAdmission({
    hosts: createHosts([
      { name: 'cache.example', guard: host },
      { name: 'plain.example', guard: host, challenge: 'plain' },
      { name: 'localhost', upstream: 'docker.io' },
      { name: 'localhost:5000' },
    ]),
    route: createRouter(
      new Map([
        ['quay.io', {}],
        ['docker.io', { library: true }],
      ]),
      'quay.io',
    ),
    ...options,
  });
  return {
    host,
    ask: async (path: string, headers: IncomingHttpHeaders = {}) =>
      admit({ headers: { host: 'cache.example', ...headers } }, parseRequest('GET', path)),
    now: (path: string, headers: IncomingHttpHeaders) => admit({ headers }, parseRequest('GET', path)),
    async token(...scopes: string[]): Promise<string> {
      const granted = await host.grant({ authorization: right }, scopes, () => undefined);
      return `Bearer ${'token' in granted ? granted.token : ''}`;
    },
  };
}

async function refusal(asked: Promise<unknown>): Promise<RegistryError> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof RegistryError) return error;
  }
  throw new Error('was admitted');
}

function challengeOf({ headers }: RegistryError): Readonly<Record<string, string>> | undefined {
  return parseChallenges(headers['www-authenticate'])[0]?.parameters;
}

test('a host without logins admits at once, and looks at no credential', async (t) => {
  const admitted = door().now('/v2/busybox/manifests/latest', { host: 'localhost', authorization: wrong });
  t.match(admitted, {
    host: { name: 'localhost' },
    subject: { name: 'anonymous', groups: [] },
    routed: { upstream: 'docker.io', asked: 'busybox', request: { repository: 'library/busybox' } },
  });
});

test('the host is found by name and port, by name, in any case', async (t) => {
  const { now } = door();
  for (const [host, name] of [
    ['localhost:5000', 'localhost:5000'],
    ['LOCALHOST:5000', 'localhost:5000'],
    ['localhost:8400', 'localhost'],
    ['localhost.', 'localhost'],
  ] as const) {
    t.match(now('/v2/', { host }), { host: { name } }, host);
  }
});

test('an unknown host is refused and named', async (t) => {
  const { now } = door();
  for (const host of ['evil.example', '', 'local host', 'a/b', '"', 'x'.repeat(400)]) {
    t.throws(() => now('/v2/', { host }), { code: 'NAME_UNKNOWN', detail: { host: host.slice(0, 260) } });
  }
});

test('where others are welcome, any well-formed name is, and none other', async (t) => {
  const { now } = door({ hosts: createHosts([{ name: '*' }]) });
  for (const host of ['a.b', 'A:1', '[::1]:8400', '127.0.0.1', undefined]) {
    t.match(now('/v2/', host === undefined ? {} : { host }), { host: { name: '*' } });
  }
  for (const host of ['a"b', 'a b', 'a/b', 'user@host', 'a:123456']) {
    t.throws(() => now('/v2/', { host }), { code: 'NAME_UNKNOWN' }, host);
  }
});

test('a ping without a credential is challenged: clients decide by it whether to log in', async (t) => {
  const { ask } = door();
  for (const authorization of [undefined, 'Basic Og==']) {
    const error = await refusal(ask('/v2/', authorization === undefined ? {} : { authorization }));
    t.equal(error.status, 401);
    t.equal(
      error.headers['www-authenticate'],
      'Bearer realm="http://cache.example/v2/auth",service="cache.example"',
    );
  }
});

test('the challenge names the scope of the repository as the client wrote it', async (t) => {
  const error = await refusal(door().ask('/v2/quay.io/a/b/manifests/x'));
  t.match(challengeOf(error), { scope: 'repository:quay.io/a/b:pull', error: undefined });
});

test('the realm is where the client can reach us', async (t) => {
  const realm = async (options: Door, host: string) =>
    challengeOf(await refusal(door(options).ask('/v2/', { host })))?.['realm'];
  t.equal(await realm({ isTls: true }, 'cache.example:8443'), 'https://cache.example:8443/v2/auth');
  const publicUrl = new URL('https://public.example/');
  t.equal(await realm({ publicUrl }, 'cache.example'), 'https://cache.example/v2/auth');
  const everyName = createHosts([{ name: '*', guard: door().host }]);
  t.equal(await realm({ publicUrl, hosts: everyName }, '10.0.0.7:8400'), 'https://public.example/v2/auth');
});

test('Basic is accepted from every client that sends it', async (t) => {
  const { ask } = door();
  t.match(await ask('/v2/', { authorization: right }), { subject: { name: 'robot' }, routed: undefined });
  t.match(await ask('/v2/a/b/tags/list', { authorization: right }), {
    subject: { name: 'robot' },
    decision: { rule: 'robots' },
    routed: { upstream: 'quay.io' },
  });
});

test('a token serves what it was asked for, however the repository is named', async (t) => {
  const { ask, token } = door();
  for (const [scope, path] of [
    ['repository:a/b:pull', '/v2/a/b/manifests/x'],
    ['repository:a/b:pull', '/v2/quay.io/a/b/manifests/x'],
    ['repository:quay.io/a/b:pull', '/v2/quay.io/a/b/manifests/x'],
    ['repository:quay.io/a/b:pull', '/v2/a/b/manifests/x?ns=quay.io'],
    ['repository:library/x:pull', '/v2/docker.io/x/manifests/x'],
  ] as const) {
    t.match(await ask(path, { authorization: await token(scope) }), { subject: { name: 'robot' } }, path);
  }
});

test('a token of another scope leads to a new one, and serves a ping', async (t) => {
  const { ask, token } = door();
  for (const authorization of [
    await token(),
    await token('repository:a/c:pull'),
    await token('repository:b:pull'),
  ]) {
    const error = await refusal(ask('/v2/a/b/manifests/x', { authorization }));
    t.match(challengeOf(error), { error: 'insufficient_scope', scope: 'repository:a/b:pull' });
    t.match(await ask('/v2/', { authorization }), { subject: { name: 'robot' } });
  }
});

test('where the challenge names no scope, a token that was got without one is for everything', async (t) => {
  const { ask, token } = door();
  const plain = { host: 'plain.example' };
  const answer = await ask('/v2/a/b/manifests/x', { ...plain, authorization: await token() });
  t.match(answer, { subject: { name: 'robot' }, routed: { upstream: 'quay.io' } });
  const authorization = await token('repository:b:pull');
  const error = await refusal(ask('/v2/a/b/manifests/x', { ...plain, authorization }));
  t.match(challengeOf(error), { error: 'insufficient_scope' });
});

test('a wrong credential is refused with our challenge, and appears nowhere', async (t) => {
  const { ask } = door();
  for (const authorization of [wrong, 'Bearer hunter2', 'Basic hunter2!', 'Digest hunter2']) {
    const error = await refusal(ask('/v2/a/b/manifests/x', { authorization }));
    t.equal(error.code, 'UNAUTHORIZED');
    t.match(challengeOf(error), { error: 'invalid_token' });
    const told = JSON.stringify([error, error.message, error.detail, error.headers]);
    t.notMatch(told, 'hunter2');
    t.notMatch(told, Buffer.from('robot:hunter2').toString('base64'));
  }
});

test('rights are asked about the request as it will be answered', async (t) => {
  const asked: unknown[] = [];
  const { ask } = door({
    async authorize({ name }, access) {
      asked.push({ name, ...access });
      return { allowed: true };
    },
  });
  for (const path of [
    '/v2/docker.io/x/manifests/v1',
    `/v2/a%2Fb/blobs/${digest}`,
    '/v2/a/b/tags/list',
    `/v2/a/b/referrers/${digest}`,
  ]) {
    await ask(path, { authorization: right });
  }
  const base = { name: 'robot', upstream: 'quay.io', repository: 'a/b', action: 'pull' };
  t.same(asked, [
    { ...base, upstream: 'docker.io', repository: 'library/x', reference: { tag: 'v1' } },
    { ...base, reference: { digest } },
    base,
    { ...base, reference: { digest } },
  ]);
});

test('without the right it is 403 with the reason', async (t) => {
  const { ask } = door({ authorize: async () => ({ allowed: false, reason: 'not yours' }) });
  const error = await refusal(ask('/v2/a/b/manifests/x', { authorization: right }));
  t.match(error, { code: 'DENIED', message: 'not yours', detail: { repository: 'a/b' } });
});

test('what cannot be told is 503, neither a yes nor a no', async (t) => {
  const down = async (): Promise<never> => {
    throw new RegistryError('UNAVAILABLE', 'x');
  };
  const path = '/v2/a/b/manifests/x';
  const headers = { authorization: right };
  t.equal((await refusal(door({ authorize: down }).ask(path, headers))).status, 503);
  t.equal((await refusal(door({ authenticate: down }).ask(path, headers))).status, 503);
});

test('no client learns the names of registries before its login', async (t) => {
  const { ask } = door();
  t.equal((await refusal(ask('/v2/a/b/tags/list?ns=evil.example'))).code, 'UNAUTHORIZED');
  const known = await refusal(ask('/v2/a/b/tags/list?ns=evil.example', { authorization: right }));
  t.equal(known.code, 'NAME_UNKNOWN');
});

test('each refusal is told by its class', async (t) => {
  const told: string[] = [];
  const events: Partial<ProxyEvents> = { accessRefused: ({ reason }) => told.push(reason) };
  const { ask, token } = door({ events, authorize: async () => ({ allowed: false }) });
  for (const authorization of [undefined, wrong, await token(), right]) {
    await refusal(ask('/v2/a/b/manifests/x', authorization === undefined ? {} : { authorization }));
  }
  t.same(told, ['anonymous', 'credential', 'scope', 'rights']);
});
