import { type Test, test } from 'tap';
import { adminServer } from '../src/app/server.ts';
import type { Operators, OperatorVerdict } from '../src/auth/clusters/operators.ts';
import { createMetrics } from '../src/telemetry/metrics/metrics.ts';
import { clusterDouble } from './support/cluster-double.ts';
import { serviceRig } from './support/service.ts';

const guarded = [
  ['POST', '/access/forget'],
  ['GET', '/statusz'],
  ['GET', '/api/v1/mirrors'],
  ['POST', '/api/v1/mirrors'],
  ['POST', '/api/v1/mirrors/retry'],
  ['POST', '/api/v1/mirrors/hold'],
  ['POST', '/api/v1/mirrors/release'],
  ['DELETE', '/api/v1/mirrors?destination=a'],
] as const;
const payloads: Readonly<Record<string, object>> = {
  '/api/v1/mirrors': { source: 'a', destination: 'b' },
  '/api/v1/mirrors/hold': { destination: 'b' },
  '/api/v1/mirrors/release': { destination: 'b' },
};
const open = ['/metrics', '/livez', '/readyz', '/healthz', '/api/health'];
const elsewhere = '10.0.0.7';

/** An admin server, and all that it was made to do. */
function stage(t: Test, operators?: Operators) {
  const done: string[] = [];
  const said: unknown[] = [];
  const mirror = {
    desk: {
      tasks: () => {
        done.push('shown');
        return [];
      },
      order: async () => Boolean(done.push('ordered')),
      retry: () => done.push('retried'),
      drop: () => {
        done.push('dropped');
        return 'dropped' as const;
      },
    },
    holds: {
      list: async () => [],
      async hold() {
        done.push('held');
        return {};
      },
      async release() {
        done.push('released');
        return true;
      },
    },
    serving: () => {},
  };
  const app = adminServer({
    meters: createMetrics(),
    isReady: async () => true,
    status: () => ({ json: { conditions: [] }, text: `told${done.push('told')}` }),
    forget: () => void done.push('forgotten'),
    mirror,
    listen: '0.0.0.0:8401',
    trustedProxies: () => [],
    operated: (event) => said.push(event),
    ...(operators && { operators }),
  });
  t.teardown(() => app.close());
  const ask = async (
    [method, url]: readonly ['GET' | 'POST' | 'DELETE', string],
    headers: Readonly<Record<string, string>> = {},
    remoteAddress = '127.0.0.1',
  ) => {
    const payload = payloads[url];
    const host = 'localhost:8401';
    const answer = await app.inject({
      method,
      url,
      headers: { host, ...headers },
      remoteAddress,
      ...(method === 'POST' && payload && { payload }),
    });
    return { status: answer.statusCode, challenge: answer.headers['www-authenticate'], body: answer.body };
  };
  return { ask, done, said };
}

function judging(
  verdicts: Readonly<Record<string, OperatorVerdict>>,
): Operators & { readonly asked: unknown[] } {
  const asked: unknown[] = [];
  return {
    asked,
    async judge(token, question) {
      asked.push(question);
      return verdicts[token] ?? { kind: 'unknown' };
    },
  };
}

test('metrics and health are open to all; what shows names or changes something is not', async (t) => {
  const { ask, done } = stage(t);
  for (const url of open) t.equal((await ask(['GET', url], {}, elsewhere)).status, 200, url);
  for (const each of guarded) {
    const { status, body } = await ask(each, {}, elsewhere);
    t.equal(status, 403, each.join(' '));
    t.match(body, 'admin.tokenFile');
  }
  t.same(done, []);
});

test('from the host itself all of it is done, and what changes something is logged', async (t) => {
  const { ask, done, said } = stage(t);
  for (const each of guarded) t.match((await ask(each)).status, /^20[024]$/, each.join(' '));
  t.same(done, ['forgotten', 'told', 'shown', 'ordered', 'retried', 'held', 'released', 'dropped']);
  t.match(said[0], { operator: 'local', verb: 'post', path: '/quayside/access/forget', client: '127.0.0.1' });
  t.equal(said.length, 6);
});

for (const [what, headers] of [
  ['a proxy on this host', { 'x-forwarded-for': '127.0.0.1' }],
  ['a foreign name that resolves to this host', { host: 'evil.example:8401' }],
  ['a page of another origin', { origin: 'http://evil.example' }],
  ['a page of another site', { 'sec-fetch-site': 'cross-site' }],
] as const) {
  test(`what comes by ${what} is not from the host itself`, async (t) => {
    const { ask, done } = stage(t);
    for (const each of guarded) t.equal((await ask(each, headers)).status, 403, each.join(' '));
    t.same(done, []);
  });
}

test('a login opens what it has the right to, from anywhere', async (t) => {
  const operators = judging({
    good: { kind: 'allowed', name: 'ann' },
    weak: { kind: 'denied', name: 'bob' },
  });
  const { ask, done, said } = stage(t, operators);
  for (const each of guarded) {
    t.match((await ask(each, {}, elsewhere)).challenge, /^Bearer realm="quayside"/, each.join(' '));
    t.equal((await ask(each, { authorization: 'Bearer weak' }, elsewhere)).status, 403);
  }
  t.same(done, []);
  for (const each of guarded)
    t.match((await ask(each, { authorization: 'bearer good' }, elsewhere)).status, /^20[024]$/);
  t.equal(done.length, guarded.length);
  t.match(said[0], { operator: 'ann', client: elsewhere });
  t.match(operators.asked.at(-1), { verb: 'delete', path: '/quayside/api/v1/mirrors' });
});

test('a login that is shown decides, also on the host itself', async (t) => {
  const { ask, done } = stage(t, judging({}));
  const forget = ['POST', '/access/forget'] as const;
  for (const authorization of ['Bearer guess', 'Basic YTpi', 'Bearer', ''])
    t.equal((await ask(forget, { authorization })).status, 401, authorization);
  t.same(done, []);
  t.equal((await ask(forget)).status, 204, 'and without one the host itself may');
});

test('a cluster decides who operates the server, and reading is another right than changing', async (t) => {
  const cluster = await clusterDouble({
    users: { 'sha256~anns-token': { username: 'ann' }, 'sha256~bobs-token': { username: 'bob' } },
    pathRights: [
      { to: 'ann', verbs: ['get', 'post'], prefix: '/quayside/' },
      { to: 'bob', verbs: ['get'], prefix: '/quayside/' },
    ],
  });
  t.teardown(() => cluster.close());
  const rig = await serviceRig(t, {
    settings: {
      admin: { listen: '127.0.0.1:0', cluster: 'app.ci' },
      clusters: { 'app.ci': { kubeconfigFile: await cluster.kubeconfig(t.testdir()) } },
      mirror: { misses: { onMiss: 'off' } },
      trustedProxies: ['127.0.0.1/32'],
    },
  });
  const status = async (method: string, path: string, token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`http://${rig.service.adminAddress}${path}`, { method, headers })).status;
  };
  t.equal(await status('POST', '/access/forget', 'sha256~anns-token'), 204);
  t.equal(await status('POST', '/access/forget', 'sha256~bobs-token'), 403);
  t.equal(await status('GET', '/api/v1/mirrors', 'sha256~bobs-token'), 200);
  t.equal(await status('GET', '/api/v1/mirrors', 'sha256~who-knows'), 401);
  cluster.switches.isDown = true;
  t.equal(await status('GET', '/api/v1/mirrors', 'sha256~another-one'), 503);
  t.match(
    rig.log.filter(({ component }) => component === 'admin'),
    [{ operator: 'ann', verb: 'post', path: '/quayside/access/forget' }],
  );
});
