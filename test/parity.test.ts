import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { refusal } from './bad-days/rig.ts';
import { until } from './support/bodies.ts';
import { exposedHost, type ProxyRig, proxyRig, robot } from './support/proxy-rig.ts';

const challenge = `Bearer realm="https://${exposedHost}/v2/auth",service="${exposedHost}"`;
const repository = 'openshift/ci';
const tag = 'ocp_4.20_cli';
const manifest = `/v2/${repository}/manifests/${tag}`;

const tokens = { alice: 'sha256~alices-own-token-of-app.ci', bob: 'sha256~bobs-own-token-of-app.ci' };

/** Alice may read the streams of `ocp`, bob may not. */
const people = {
  users: {
    [tokens.alice]: {
      username: 'alice',
      uid: 'uid-of-alice',
      groups: ['ocp-readers'],
      extra: { 'scopes.authorization.openshift.io': ['user:full'] },
    },
    [tokens.bob]: { username: 'bob', groups: ['others'] },
  },
  serviceAccounts: ['ci/puller'],
  bindings: [{ to: 'ocp-readers', namespace: 'ocp' }],
};

const basic = (username: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function rig(t: Test): Promise<ProxyRig> {
  const proxy = await proxyRig(t, { cluster: people });
  proxy.registry.addImage(repository, tag);
  return proxy;
}

/** A token of ours, as a client gets it. */
async function token({ call }: ProxyRig, username: string, password: string): Promise<string> {
  const answer = await call('/v2/auth', { headers: basic(username, password) });
  if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
  return (await granted(answer)).token;
}

/** What the token end-point hands out. */
interface Granted {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly issued_at: string;
}

async function granted(answer: Response): Promise<Granted> {
  return (await answer.json()) as Granted;
}

test('/some-url without a login is 401 with the challenge, and says so as a registry does', async (t) => {
  const { call, registry } = await rig(t);
  for (const path of ['/some-url', '/v2/', '/v2', manifest]) {
    const answer = await call(path);
    t.equal(answer.headers.get('www-authenticate'), challenge, path);
    t.match(await refusal(answer), { status: 401, code: 'UNAUTHORIZED' }, path);
  }
  t.same(registry.requests, []);
});

test('/healthz is OK by any method and without a login', async (t) => {
  const { call } = await rig(t);
  for (const method of ['GET', 'POST', 'DELETE']) {
    const answer = await call('/healthz', { method });
    t.equal(answer.status, 200);
    t.equal(await answer.text(), 'OK\n');
  }
});

test('/v2/auth without a login is 401 with the challenge', async (t) => {
  const { call } = await rig(t);
  for (const headers of [{}, bearer('of-no-use-here'), { authorization: 'Basic Og==' }]) {
    const answer = await call(`/v2/auth?service=${exposedHost}`, { headers });
    t.equal(answer.status, 401);
    t.match(answer.headers.get('www-authenticate'), challenge);
  }
});

test('the robot’s pair gets a token, in JSON that ends with its line', async (t) => {
  const { call, cluster } = await rig(t);
  const answer = await call('/v2/auth', { headers: basic(robot.user, robot.password) });
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('content-type'), 'application/json');
  const text = await answer.text();
  t.match(text, /^\{"token":"[^"]+".*\}\n$/);
  t.same(cluster.requests, []);
});

test('besides the token the answer has its lifetime, so that clients do not log in each minute', async (t) => {
  const { call } = await rig(t);
  const answer = await call('/v2/auth', { headers: basic('any', tokens.alice) });
  const { token: text, access_token, expires_in, issued_at } = await granted(answer);
  t.equal(access_token, text);
  t.equal(expires_in, 21_600);
  t.ok(Math.abs(Date.parse(issued_at) - Date.now()) < 60_000);
});

test('a wrong password is 401 with the challenge', async (t) => {
  const { call } = await rig(t);
  for (const [username, password] of [
    [robot.user, 'wrong-password'],
    ['alice', 'sha256~nobodys-token'],
  ] as const) {
    const answer = await call('/v2/auth', { headers: basic(username, password) });
    t.equal(answer.headers.get('www-authenticate'), challenge);
    t.match(await refusal(answer), { status: 401, code: 'UNAUTHORIZED' });
  }
});

test('a good token of the cluster is a password, whatever the user name', async (t) => {
  const { call, cluster } = await rig(t);
  for (const [username, password] of [
    ['alice', tokens.alice],
    ['', tokens.alice],
    ['kube', `admin:${tokens.alice}`],
    ['puller', cluster.serviceAccountToken('ci/puller')],
  ] as const) {
    const answer = await call('/v2/auth?account=x&scope=repository:openshift/ci:pull', {
      headers: basic(username, password),
    });
    t.equal(answer.status, 200, username);
  }
});

test('a token can be got by POST too, as containerd asks first', async (t) => {
  const { call } = await rig(t);
  const body = new URLSearchParams({ grant_type: 'password', username: 'any', password: tokens.alice });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await call('/v2/auth', { method: 'POST', headers, body: body.toString() });
  t.equal(answer.status, 200);
  t.equal((await call('/v2/', { headers: bearer((await granted(answer)).token) })).status, 200);
});

test('a signing secret that cannot be read is 503, so that clients try again: it is no fault of theirs', async (t) => {
  const { call, directory } = await rig(t);
  await rm(join(directory, 'token'));
  const answer = await call('/v2/auth', { headers: basic(robot.user, robot.password) });
  t.match(await refusal(answer), { status: 503, code: 'UNAVAILABLE', retryAfter: Number });
});

test('/v2 and /v2/ with a token are 200, without a question to the registry', async (t) => {
  const proxy = await rig(t);
  const headers = bearer(await token(proxy, 'any', tokens.alice));
  for (const path of ['/v2', '/v2/']) t.equal((await proxy.call(path, { headers })).status, 200);
  t.same(proxy.registry.requests, []);
});

test('a token of one replica is good at another', async (t) => {
  const [one, other] = await Promise.all([rig(t), rig(t)]);
  const headers = bearer(await token(one, 'any', tokens.alice));
  t.equal((await other.call(manifest, { headers })).status, 200);
  t.same(other.cluster.seen('TokenReview'), []);
});

test('behind a good token the registry sees the robot’s own, and nothing of the client’s', async (t) => {
  const proxy = await rig(t);
  const { call, registry } = proxy;
  const text = await token(proxy, 'any', tokens.alice);
  const headers = { ...bearer(text), cookie: 'mine=1', 'x-forwarded-for': '10.0.0.1' };
  t.equal((await call(manifest, { headers })).status, 200);
  const [login] = registry.seen('GET /token');
  t.equal(login?.headers.authorization, basic(robot.user, robot.password).authorization);
  t.match(registry.seen(manifest).at(-1)?.headers.authorization, /^Bearer token-/);
  const seen = JSON.stringify(registry.requests);
  for (const own of [text, tokens.alice, 'mine=1', '10.0.0.1']) t.notMatch(seen, own);
});

test('a token that is not good goes nowhere, and the challenge is ours and not that of the registry', async (t) => {
  const { call, registry } = await rig(t);
  const unsigned = `${encoded({ alg: 'none' })}.${encoded({ kid: 'alice', exp: 9_999_999_999 })}.`;
  for (const text of ['of-somebody-else', unsigned]) {
    const answer = await call(manifest, { headers: bearer(text) });
    t.equal(answer.status, 401);
    t.ok(answer.headers.get('www-authenticate')?.startsWith(challenge));
    t.match(answer.headers.get('www-authenticate'), /error="invalid_token"/);
  }
  t.same(registry.requests, []);
});

test('a blob is where the registry redirects to, and its bytes do not pass here', async (t) => {
  const proxy = await rig(t);
  const { call, registry } = proxy;
  registry.switches.redirectsBlobs = true;
  const headers = bearer(await token(proxy, 'any', tokens.alice));
  await call(manifest, { headers });
  const layer = registry.addImage(repository, tag).layers[0]?.digest;
  const path = `/v2/${repository}/blobs/${layer}`;
  const answer = await call(path, { headers });
  t.match(String(answer.status), /^30[27]$/);
  t.equal(answer.headers.get('location'), `${registry.cdnUrl}${path}?signature=secret`);
  t.same(
    registry.requests.filter(({ cdn }) => cdn),
    [],
  );
});

test('people are asked about as ever, with all that the cluster says of them; service accounts are not', async (t) => {
  const proxy = await rig(t);
  const { call, cluster } = proxy;
  await call(manifest, { headers: bearer(await token(proxy, 'any', tokens.alice)) });
  const [review] = cluster.seen('TokenReview');
  t.same(review?.body.spec, {});
  const [access, ...others] = cluster.seen('SubjectAccessReview');
  t.same(access?.body.spec, {
    user: 'alice',
    groups: ['ocp-readers', 'system:authenticated'],
    uid: 'uid-of-alice',
    extra: { 'scopes.authorization.openshift.io': ['user:full'] },
    resourceAttributes: {
      namespace: 'ocp',
      verb: 'get',
      group: 'image.openshift.io',
      version: 'v1',
      resource: 'imagestreams',
      subresource: 'layers',
    },
  });
  t.same(others, []);
  const puller = bearer(await token(proxy, 'any', cluster.serviceAccountToken('ci/puller')));
  t.equal((await call(manifest, { headers: puller })).status, 200);
  t.equal(cluster.seen('SubjectAccessReview').length, 1);
});

test('who may not is told which right is missing where they pull: a login alone is no pull', async (t) => {
  const proxy = await rig(t);
  const headers = bearer(await token(proxy, 'any', tokens.bob));
  const refused = await refusal(await proxy.call(manifest, { headers }));
  t.match(refused, { status: 403, code: 'DENIED' });
  t.match(refused.message, 'get imagestreams.image.openshift.io/layers -n ocp');
  t.match(refused.message, 'app.ci');
  t.same(proxy.registry.requests, []);
});

test('a cluster that is down is 503: a 401 would make clients throw their login away', async (t) => {
  const proxy = await rig(t);
  const { call, cluster } = proxy;
  const headers = bearer(await token(proxy, 'any', tokens.alice));
  t.equal((await call(manifest, { headers })).status, 200);
  cluster.switches.isDown = true;
  t.equal((await call(manifest, { headers })).status, 200);
  const answer = await call('/v2/auth', { headers: basic('any', tokens.bob) });
  t.match(await refusal(answer), { status: 503, code: 'UNAVAILABLE', retryAfter: Number });
});

test('one pull costs the registry no request more than its own, once the robot has its token', async (t) => {
  const proxy = await rig(t);
  const headers = bearer(await token(proxy, 'any', tokens.alice));
  await proxy.call(manifest, { headers });
  const before = proxy.registry.requests.length;
  for (let pull = 0; pull < 5; pull += 1) await proxy.call(manifest, { headers });
  t.equal(proxy.registry.requests.length, before);
});

test('the lines that queries look for are written, each with its fields', async (t) => {
  const proxy = await rig(t);
  const { call } = proxy;
  const headers = bearer(await token(proxy, 'any', tokens.alice));
  await token(proxy, robot.user, robot.password);
  await call(`${manifest}?secret=of-the-query`, { headers });
  await call('/v2/auth');
  await call('/v2/auth', { headers: basic('eve', 'sha256~nobodys-token') });
  await call('/v2/');
  await call('/v2/', { headers: bearer('of-somebody-else') });
  await until(() => lines('Access log').length === 7);

  function lines(msg: string) {
    return proxy.log.filter((line) => line['component'] === 'qci-appci' && line.msg === msg);
  }
  const path = '/v2/auth';
  t.match(lines('Validated token'), [
    { subComponent: 'simpleClusterTokenService', username: 'alice', validated: true, duration: Number },
    { subComponent: 'simpleClusterTokenService', username: '', validated: false },
  ]);
  t.match(lines('Provide token for user'), [{ path, username: 'alice' }]);
  t.match(lines('Provided token for user'), [{ path, username: 'alice' }]);
  t.match(lines('Provided token for the CI robot user'), [{ path, username: robot.user }]);
  t.match(lines('Failed to get basic auth'), [{ path, basic: false }]);
  t.match(lines('Failed to validate the user'), [{ path, username: 'eve', valid: false }]);
  t.match(lines('Found no token'), [{ path: '/v2/' }]);
  t.match(lines('Proxy received request'), [{ path: manifest }, { path: '/v2/' }]);
  t.equal(lines('Replacing bearer token ...').length, 1);
  t.match(lines('Proxy responded'), [{ statusCode: 200 }, { authenticateHeader: /^Bearer realm=/ }]);
  t.match(lines('Renewed token'), [{ subComponent: 'robotTokenMaintainer' }]);
  t.match(lines('Access log')[2], {
    method: 'GET',
    uri: manifest,
    code: 200,
    size: Number,
    duration: Number,
    token: true,
    host: '127.0.0.1',
  });
  const text = JSON.stringify(proxy.log);
  for (const secret of [...Object.values(tokens), robot.password, 'of-the-query', 'nobodys-token'])
    t.notMatch(text, secret);
});

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
