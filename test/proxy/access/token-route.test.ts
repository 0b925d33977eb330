import { request } from 'node:http';
import fastify from 'fastify';
import { decodeJwt } from 'jose';
import { type Test, test } from 'tap';
import type { Subject } from '../../../src/auth/access.ts';
import { createGuard } from '../../../src/auth/guards/guard.ts';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { createChallenger } from '../../../src/proxy/access/challenge.ts';
import { createHosts, type Host, type Hosts } from '../../../src/proxy/access/hosts.ts';
import { createRouter } from '../../../src/proxy/access/route.ts';
import { type TokenRouteOptions, tokenRoute } from '../../../src/proxy/access/token-route.ts';
import { createLimit } from '../../../src/proxy/clients/limits.ts';
import { failure, failureHooks } from '../../../src/proxy/http/failure-hooks.ts';
import { requestLog } from '../../../src/proxy/http/request-log.ts';
import { entering } from '../../support/generation.ts';

const right = `Basic ${Buffer.from('robot:right').toString('base64')}`;

interface Served extends Partial<TokenRouteOptions> {
  readonly isOpen?: boolean;
  readonly isTls?: boolean;
  /** Default: one, of every name. */
  readonly hosts?: Hosts;
  /** How the host is, beside its guard. */
  readonly host?: Pick<Host, 'challenge'>;
  readonly anonymous?: Subject;
}

async function served(t: Test, { isOpen = false, isTls = false, hosts, ...given }: Served = {}) {
  const { host = {}, anonymous, ...options } = given;
  const keys = randomTokenKeys();
  const door = createGuard({
    authenticator: {
      authenticate: async (shown) =>
        shown.kind === 'basic' && shown.password === 'right'
          ? { name: shown.username, groups: [] }
          : undefined,
    },
    authorizer: {
      authorize: async () => ({ allowed: true }),
      visible: async (_subject, _place, tags) => tags,
    },
    tokens: createTokens({ keys: () => keys, audience: '*', validitySeconds: 300 }),
    ...(anonymous === undefined ? {} : { anonymous }),
  });
  const lines: string[] = [];
  const app = fastify({ ...failureHooks, exposeHeadRoutes: false });
  failure(app);
  requestLog(app, { log: { info: (fields) => lines.push(JSON.stringify(fields)) } });
  tokenRoute(app, {
    enter: entering({
      hosts: hosts ?? createHosts([isOpen ? { name: '*' } : { name: '*', guard: door, ...host }]),
      route: createRouter(new Map([['quay.io', { repositories: ['a', 'a/b', 'b'] }]]), 'quay.io'),
      challenge: createChallenger({ isTls }),
    }),
    limit: createLimit({ limit: 'logins', maxRunning: 0, maxInQueue: 0, maxWaitInQueueMs: 0 }),
    ...options,
  });
  t.teardown(() => app.close());
  const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/v2/auth`;
  return { url, door, app, lines };
}

function form(fields: Readonly<Record<string, string>>): RequestInit {
  return { method: 'POST', body: new URLSearchParams(fields) };
}

interface Answer {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly issued_at: string;
}

test('GET with Basic gives a token under both names, with its life', async (t) => {
  const { url, door } = await served(t);
  const answer = await fetch(`${url}?service=x&scope=repository:a/b:pull&scope=repository:c:push`, {
    headers: { authorization: right },
  });
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('cache-control'), 'no-store');
  t.match(answer.headers.get('content-type'), 'application/json');
  const { token, access_token, expires_in, issued_at } = (await answer.json()) as Answer;
  t.equal(access_token, token);
  t.equal(expires_in, 300);
  t.ok(Math.abs(Date.parse(issued_at) - Date.now()) < 10_000);
  t.match(await door.identify(`Bearer ${token}`), { subject: { name: 'robot' }, scopes: ['a/b'] });
});

test('a login that asks for no scope gets a token', async (t) => {
  const { url, door } = await served(t);
  const answer = await fetch(url, { headers: { authorization: right } });
  const { token } = (await answer.json()) as Answer;
  t.match(await door.identify(`Bearer ${token}`), { subject: { name: 'robot' }, scopes: [] });
});

test('POST with a password does as containerd asks, several scopes in one field', async (t) => {
  const { url, door } = await served(t);
  const fields = {
    grant_type: 'password',
    username: 'r',
    password: 'right',
    scope: 'repository:a:pull repository:b:pull',
  };
  const answer = await fetch(url, form(fields));
  t.equal(answer.status, 200);
  const { access_token } = (await answer.json()) as Answer;
  t.match(await door.identify(`Bearer ${access_token}`), { subject: { name: 'r' }, scopes: ['a', 'b'] });
});

test('without a login there is no token: 401', async (t) => {
  const { url } = await served(t);
  for (const init of [
    {},
    { headers: { authorization: 'Basic Og==' } },
    { headers: { authorization: `Basic ${Buffer.from('robot:wrong').toString('base64')}` } },
    { headers: { authorization: 'nonsense' } },
    form({ grant_type: 'password', username: 'robot', password: 'wrong' }),
    form({ grant_type: 'password' }),
    form({ grant_type: 'refresh_token', refresh_token: 'x' }),
    { method: 'POST' },
  ] satisfies RequestInit[]) {
    const answer = await fetch(url, init);
    t.equal(answer.status, 401);
    t.equal(answer.headers.get('www-authenticate'), 'Basic realm="*"');
    t.match(await answer.json(), { errors: [{ code: 'UNAUTHORIZED' }] });
  }
});

test('a form of more than 16 KiB, or of another kind, is refused', async (t) => {
  const { url } = await served(t);
  t.equal((await fetch(url, form({ scope: 'x'.repeat(20_000) }))).status, 413);
  t.equal(
    (await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }))
      .status,
    415,
  );
});

test('a host without logins hands out nothing', async (t) => {
  const { url } = await served(t, { isOpen: true });
  t.equal((await fetch(url, { headers: { authorization: right } })).status, 404);
});

test('the log names the subject and holds no credential', async (t) => {
  const { url, app, lines } = await served(t);
  const answers = [
    await fetch(`${url}?account=robot&password=right`, { headers: { authorization: right } }),
    await fetch(url, form({ grant_type: 'password', username: 'robot', password: 'right' })),
    await fetch(url, form({ grant_type: 'password', username: 'robot', password: 'wrong-one' })),
  ];
  const bodies = await Promise.all(answers.map((answer) => answer.text()));
  await app.close();
  t.equal(lines.length, 3);
  t.match(lines[0], '"subject":"robot"');
  const token: unknown = JSON.parse(bodies[0] ?? '').token;
  for (const secret of ['right', 'wrong-one', right.slice(6), String(token)])
    t.notMatch(lines.join(), secret);
});

const wrong = `Basic ${Buffer.from('robot:wrong').toString('base64')}`;

test('the answer ends with a line, as the program before us wrote it', async (t) => {
  const { url } = await served(t);
  const answer = await fetch(url, { headers: { authorization: right } });
  t.match(await answer.text(), /^\{"token":"[^\n]+\}\n$/);
});

test('a repository that lies nowhere is in the token and not granted', async (t) => {
  const { url } = await served(t);
  const scope = 'scope=repository:a/b:pull&scope=repository:evil/x:pull&scope=repository:quay.io/b:pull';
  const answer = await fetch(`${url}?${scope}`, { headers: { authorization: right } });
  const { token } = (await answer.json()) as Answer;
  t.match(decodeJwt(token)['access'], [
    { name: 'a/b', actions: ['pull'] },
    { name: 'evil/x', actions: [] },
    { name: 'quay.io/b', actions: ['pull'] },
  ]);
});

test('a plain host challenges here as everywhere, whatever is wrong', async (t) => {
  const { url } = await served(t, { host: { challenge: 'plain' }, isTls: true });
  const { host } = new URL(url);
  for (const init of [
    {},
    { headers: { authorization: 'Basic Og==' } },
    { headers: { authorization: wrong } },
    { headers: { authorization: 'nonsense' } },
    form({ grant_type: 'password', username: 'robot', password: 'wrong' }),
    form({ grant_type: 'refresh_token', refresh_token: 'x' }),
  ] satisfies RequestInit[]) {
    const answer = await fetch(url, init);
    t.equal(answer.status, 401);
    const challenge = `Bearer realm="https://${host}/v2/auth",service="${host}"`;
    t.equal(answer.headers.get('www-authenticate'), challenge);
    t.match(await answer.text(), /token of the cluster as the password|is not a token of the cluster/);
  }
});

test('a plain host says in the words of its predecessor that a token could not be signed', async (t) => {
  const { door } = await served(t);
  const broken = { ...door, grant: () => Promise.reject(new Error('no key: hunter2')) };
  for (const [challenge, type] of [
    ['plain', 'text/plain'],
    ['scoped', 'application/json'],
  ] as const) {
    const host = { name: '*', guard: broken, challenge };
    const { url, lines, app } = await served(t, { hosts: createHosts([host]) });
    const answer = await fetch(url, { headers: { authorization: right } });
    t.equal(answer.status, 500);
    t.match(answer.headers.get('content-type'), type);
    const text = await answer.text();
    t.equal(text === 'Internal Server Error\n', challenge === 'plain');
    t.notMatch(text, 'hunter2');
    await app.close();
    t.match(JSON.parse(lines[0] ?? ''), { status: 500, error: 'UNKNOWN' });
  }
});

test('where anonymous clients may pull, no login is a login', async (t) => {
  const nobody = { name: 'system:anonymous', groups: ['system:unauthenticated'], cluster: 'app.ci' };
  const { url, door, lines, app } = await served(t, { anonymous: nobody });
  for (const init of [{}, { headers: { authorization: 'Basic Og==' } }, form({ grant_type: 'password' })]) {
    const answer = await fetch(url, init);
    const { token } = (await answer.json()) as Answer;
    t.match(await door.identify(`Bearer ${token}`), { subject: nobody });
  }
  t.equal((await fetch(url, { headers: { authorization: wrong } })).status, 401);
  await app.close();
  t.match(JSON.parse(lines[0] ?? ''), { subject: 'system:anonymous', cluster: 'app.ci', status: 200 });
});

test('a failed login waits for its answer; one that has waited too often is 429', async (t) => {
  const failures: string[] = [];
  const refusals: string[] = [];
  const attempts = {
    async failed(address: string): Promise<void> {
      failures.push(address);
      if (failures.length > 1) throw new RegistryError('TOOMANYREQUESTS', 'x', { retryAfterSeconds: 5 });
    },
    async refused(address: string): Promise<void> {
      refusals.push(address);
    },
  };
  const { url } = await served(t, { attempts });
  for (const authorization of [right, 'nonsense', 'Basic Og=='])
    await fetch(url, { headers: { authorization } });
  t.same(failures, [], 'neither for a good login nor for none');
  t.equal((await fetch(url, { headers: { authorization: wrong } })).status, 401);
  const again = await fetch(url, form({ grant_type: 'password', username: 'robot', password: 'guess' }));
  t.equal(again.status, 429);
  t.equal(again.headers.get('retry-after'), '5');
  t.same(failures, ['127.0.0.1', '127.0.0.1']);
  t.same(refusals, ['127.0.0.1'], 'the 429 is held back too');
});

test('a field that comes twice is no login', async (t) => {
  const { url } = await served(t);
  const { status } = await new Promise<{ readonly status: number | undefined }>((resolve, reject) => {
    const asked = request(
      url,
      { headers: ['Host', 'x', 'Authorization', right, 'Authorization', wrong] },
      (answer) => {
        answer.resume();
        resolve({ status: answer.statusCode });
      },
    );
    asked.on('error', reject).end();
  });
  t.equal(status, 401);
});

test('a user name cannot write into the log', async (t) => {
  const { url, app, lines } = await served(t);
  const username = 'x","subject":"admin"}\r\n{"level":"info","subject":"admin"';
  const answer = await fetch(url, form({ grant_type: 'password', username, password: 'right' }));
  t.equal(answer.status, 200);
  await app.close();
  t.equal(lines.length, 1);
  t.equal(JSON.parse(lines[0] ?? '').subject, username);
  t.notMatch(lines[0], '\n');
});
