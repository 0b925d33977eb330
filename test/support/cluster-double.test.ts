import { hash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { connect as secureConnect } from 'node:tls';
import { type Test, test } from 'tap';
import { Agent, request } from 'undici';
import { type ClusterDouble, type ClusterDoubleOptions, clusterDouble } from './cluster-double.ts';

async function started(t: Test, options?: ClusterDoubleOptions) {
  const double = await clusterDouble(options);
  const dispatcher = new Agent({ connect: { ca: double.authority.cert } });
  t.teardown(async () => {
    await dispatcher.close();
    await double.close();
  });
  const ask = async (path: string, body?: object, token = double.ourToken()) => {
    const answer = await request(`${double.url}${path}`, {
      dispatcher,
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const read: Answered = await answer.body.json().then((json) => Object(json));
    return { code: answer.statusCode, status: read.status };
  };
  return { double, ask };
}

interface Answered {
  readonly status: unknown;
}

const reviewPath = '/apis/authentication.k8s.io/v1/tokenreviews';
const accessPath = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
const tokenReview = (token: string) => ({
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenReview',
  spec: { token },
});
const accessReview = (spec: object) => ({
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SubjectAccessReview',
  spec,
});
const layers = { verb: 'get', group: 'image.openshift.io', resource: 'imagestreams', subresource: 'layers' };

test('a token is reviewed, and kept as its hash', async (t) => {
  const { double, ask } = await started(t, { users: { 'sha256~a': { username: 'alice', groups: ['dev'] } } });
  const { code, status } = await ask(reviewPath, tokenReview('sha256~a'));
  t.equal(code, 201);
  t.match(status, {
    authenticated: true,
    user: { username: 'alice', groups: ['dev', 'system:authenticated'] },
  });
  t.notMatch((await ask(reviewPath, tokenReview('sha256~b'))).status, { authenticated: true });
  t.equal(double.requests[0]?.tokenHash, hash('sha256', 'sha256~a'));
  t.notMatch(JSON.stringify(double.requests), 'sha256~a');
});

test('a service account is known by its token while it exists', async (t) => {
  const { double, ask } = await started(t, { serviceAccounts: ['ci/puller'] });
  const token = double.serviceAccountToken('ci/puller');
  const user = {
    username: 'system:serviceaccount:ci:puller',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:ci', 'system:authenticated'],
  };
  t.match((await ask(reviewPath, tokenReview(token))).status, { authenticated: true, user });
  const expired = double.serviceAccountToken('ci/puller', { expiresInSeconds: -1 });
  const foreign = double.serviceAccountToken('ci/puller', { audiences: ['vault'] });
  double.serviceAccounts.delete('ci/puller');
  for (const bad of [token, expired, foreign, `${token}x`])
    t.notMatch((await ask(reviewPath, tokenReview(bad))).status, { authenticated: true });
});

test('rights are those of the bindings, and cover no more than they say', async (t) => {
  const { double, ask } = await started(t, {
    bindings: [
      { to: 'alice', namespace: 'ocp' },
      { to: 'dev', namespace: 'ci', name: 'tools' },
    ],
  });
  const may = async (user: string, attributes: object, groups: readonly string[] = []) => {
    const spec = { user, groups, resourceAttributes: { ...layers, ...attributes } };
    return (await ask(accessPath, accessReview(spec))).status;
  };
  t.match(await may('alice', { namespace: 'ocp', name: 'cli' }), { allowed: true });
  t.match(await may('alice', { namespace: 'ocp' }), { allowed: true });
  t.match(await may('alice', { namespace: '' }), { allowed: false });
  t.match(await may('alice', { namespace: 'ocp-priv', name: 'cli' }), { allowed: false });
  t.match(await may('bob', { namespace: 'ci', name: 'tools' }, ['dev']), { allowed: true });
  t.match(await may('bob', { namespace: 'ci' }, ['dev']), { allowed: false }, 'a name is not every name');
  double.bindings.length = 0;
  t.match(await may('alice', { namespace: 'ocp', name: 'cli' }), { allowed: false });
});

test('only we may ask, and only what is well made', async (t) => {
  const { double, ask } = await started(t, { users: { 'sha256~a': { username: 'alice' } } });
  const mine = tokenReview('sha256~a');
  t.equal((await ask(reviewPath, mine, 'stranger')).code, 401);
  t.equal((await ask(reviewPath, mine, 'sha256~a')).code, 403);
  t.equal((await ask(reviewPath, { ...mine, apiVersion: 'v1' })).code, 400);
  t.equal((await ask(reviewPath, { ...mine, spec: { ...mine.spec, tokens: [] } })).code, 400);
  t.equal((await ask(accessPath, accessReview({ user: 'alice' }))).code, 400);
  t.equal((await ask('/openid/v1/jwks', undefined, 'sha256~a')).code, 200);
  const old = double.ourToken();
  await double.kubeconfig(t.testdir());
  await double.rotateToken();
  t.equal((await ask(reviewPath, mine, old)).code, 401);
  t.equal(await readFile(`${t.testdirName}/token`, 'utf8'), double.ourToken());
});

test('a token can be asked for', async (t) => {
  const { double, ask } = await started(t, { serviceAccounts: ['ci/puller'] });
  const path = (name: string) => `/api/v1/namespaces/ci/serviceaccounts/${name}/token`;
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 600 },
  };
  const { status } = await ask(path('puller'), body);
  t.match(await ask(reviewPath, tokenReview(Object(status).token)), { status: { authenticated: true } });
  t.equal((await ask(path('nobody'), body)).code, 404);
  t.equal(double.seen('TokenRequest').length, 2);
});

test('it misbehaves on demand', async (t) => {
  const { double, ask } = await started(t);
  const review = () => ask(reviewPath, tokenReview('sha256~a'));
  const codeWith = async (switches: Partial<ClusterDouble['switches']>) => {
    Object.assign(double.switches, switches);
    const code = await review().then(
      (answer) => answer.code,
      () => 0,
    );
    for (const key of Object.keys(switches)) Reflect.deleteProperty(double.switches, key);
    return code;
  };
  t.equal(await codeWith({ isDown: true }), 0);
  t.equal(await codeWith({ answersStatus: 503 }), 503);
  t.equal(await codeWith({ forbidsUs: true }), 403);
  t.equal(await codeWith({ doesNotKnowUs: true }), 401);
  t.equal(await codeWith({ answersHtml: true }), 0, 'no JSON');
  t.equal(await codeWith({}), 201);
  t.ok(double.connections >= 2);
});

test('closing cuts a connection whose handshake is not over, too', async (t) => {
  const double = await clusterDouble();
  const port = Number(new URL(double.url).port);
  const silent = connect(port, '127.0.0.1').on('error', () => undefined);
  await once(silent, 'connect');
  // The server takes connections in their order: it has the silent one once it has greeted this
  // one.
  const greeted = secureConnect({ port, host: '127.0.0.1', ca: double.authority.cert });
  greeted.on('error', () => undefined);
  await once(greeted, 'secureConnect');
  await t.resolves(double.close());
});
