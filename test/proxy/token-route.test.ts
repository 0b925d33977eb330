import fastify from 'fastify';
import { type Test, test } from 'tap';
import { guard } from '../../src/auth/guard.ts';
import { tokens } from '../../src/auth/token.ts';
import { randomTokenKeys } from '../../src/auth/token-keys.ts';
import { failure, failureHooks } from '../../src/proxy/failure-hooks.ts';
import { hosts } from '../../src/proxy/hosts.ts';
import { requestLog } from '../../src/proxy/request-log.ts';
import { router } from '../../src/proxy/route.ts';
import { tokenRoute } from '../../src/proxy/token-route.ts';

const right = `Basic ${Buffer.from('robot:right').toString('base64')}`;

async function served(t: Test, { isOpen = false } = {}) {
  const keys = randomTokenKeys();
  const door = guard({
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
    tokens: tokens({ keys: () => keys, audience: '*', validitySeconds: 300 }),
  });
  const lines: string[] = [];
  const app = fastify({ ...failureHooks, exposeHeadRoutes: false });
  failure(app);
  requestLog(app, { log: { info: (fields) => lines.push(JSON.stringify(fields)) } });
  tokenRoute(app, {
    hosts: hosts([isOpen ? { name: '*' } : { name: '*', guard: door }]),
    route: router(new Map([['quay.io', {}]]), 'quay.io'),
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
