import { type Test, test } from 'tap';
import { createKubernetesCluster } from '../../../../src/auth/clusters/api-server/cluster-reviews.ts';
import {
  type LocalCheckOptions,
  locallyChecked,
} from '../../../../src/auth/clusters/api-server/local-check.ts';
import { remembered } from '../../../../src/auth/clusters/remembered.ts';
import { clusterDouble } from '../../../support/cluster-double.ts';

const account = 'ci/puller';
const puller = { name: 'system:serviceaccount:ci:puller', cluster: 'app.ci' };

async function checked(t: Test, options: Partial<LocalCheckOptions> = {}) {
  const api = await clusterDouble({
    serviceAccounts: [account],
    users: { 'sha256~a-token': { username: 'alice' } },
  });
  const kubeconfigFile = await api.kubeconfig(t.testdir());
  const kubernetes = await createKubernetesCluster({ name: 'app.ci', kubeconfigFile });
  t.teardown(async () => {
    await kubernetes.close();
    await api.close();
  });
  const time = { now: Date.now() };
  const now = () => time.now;
  const cluster = locallyChecked(remembered(kubernetes, { tokenMs: 1, badTokenMs: 1, now }), {
    check: 'prefilter',
    issuer: api.issuer,
    keySet: kubernetes.keySet,
    now,
    ...options,
  });
  const reviews = () => api.seen('TokenReview').length;
  return { api, cluster, reviews, time };
}

/** The same token with other claims below the same signature. */
function forged(token: string, claims: object): string {
  const [head = '', payload = '', signature = ''] = token.split('.');
  const changed = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...claims };
  return `${head}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${signature}`;
}

function unsigned(token: string): string {
  const head = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
  return `${head}.${token.split('.')[1]}.c2ln`;
}

test('a forged or expired token is refused without a question', async (t) => {
  const { api, cluster, reviews } = await checked(t);
  const stranger = await clusterDouble({ serviceAccounts: [account] });
  t.teardown(() => stranger.close());
  const token = api.serviceAccountToken(account);
  for (const wrong of [
    api.serviceAccountToken(account, { expiresInSeconds: -60 }),
    forged(token, { sub: 'system:serviceaccount:ci:admin' }),
    unsigned(token),
    stranger.serviceAccountToken(account),
    api.serviceAccountToken(account, { claims: { nbf: Date.now() / 1000 + 600 } }),
  ])
    t.equal(await cluster.review(wrong), undefined);
  t.equal(reviews(), 0);
  t.match(await cluster.review(token), puller);
  t.equal(reviews(), 1, 'a good one is asked about');
});

test('tokens of others, and of people, are left to the cluster', async (t) => {
  const { api, cluster, reviews } = await checked(t);
  t.match(await cluster.review('sha256~a-token'), { name: 'alice' });
  const foreign = api.serviceAccountToken(account, { claims: { iss: 'https://elsewhere' } });
  t.equal(await cluster.review(foreign), undefined);
  t.equal(reviews(), 2);
  t.equal(api.seen('jwks').length, 0);
});

test('the key set is read once, and again for a key that is new once the last look is a second old', async (t) => {
  const time = { now: Date.now() };
  // The library that keeps the key set has no clock but this one.
  t.intercept(Date, 'now', { value: () => time.now });
  const { api, cluster, reviews } = await checked(t);
  for (let turn = 0; turn < 5; turn += 1)
    t.match(await cluster.review(api.serviceAccountToken(account)), puller);
  t.equal(api.seen('jwks').length, 1);
  api.rotateSigningKey();
  time.now += 999;
  t.equal(await cluster.review(api.serviceAccountToken(account)), undefined);
  t.equal(api.seen('jwks').length, 1);
  time.now += 1;
  t.match(await cluster.review(api.serviceAccountToken(account)), puller);
  t.equal(api.seen('jwks').length, 2);
  t.equal(reviews(), 6);
});

test('without the keys the cluster is asked about every token, and it is told once', async (t) => {
  const told: string[] = [];
  const events = { keysFailed: (event: { readonly cluster: string }) => void told.push(event.cluster) };
  const { api, cluster, reviews } = await checked(t, { events });
  api.switches.lacksKeySet = true;
  t.match(await cluster.review(api.serviceAccountToken(account)), puller);
  t.equal(await cluster.review(api.serviceAccountToken(account, { expiresInSeconds: -60 })), undefined);
  t.equal(reviews(), 2);
  t.equal(api.seen('jwks').length, 1, 'and the key set is left alone for a while');
  t.same(told, ['app.ci']);
});

test('a good token is accepted for a while without a question, as the cluster would say who it is', async (t) => {
  const { api, cluster, reviews, time } = await checked(t, { check: 'local' });
  const token = api.serviceAccountToken(account, { audiences: ['https://kubernetes.default.svc'] });
  const local = await cluster.review(token);
  t.equal(reviews(), 0);
  t.equal(cluster.review(token), local, 'at once the next time');
  time.now += 60_000;
  const reviewed = await cluster.review(token);
  t.equal(reviews(), 1);
  t.same({ ...local, groups: new Set(local?.groups) }, { ...reviewed, groups: new Set(reviewed?.groups) });
});

test('that an account is gone shows when the while is over, and at once after forgetting', async (t) => {
  const { api, cluster, time } = await checked(t, { check: 'local', localMs: 1000 });
  const token = api.serviceAccountToken(account);
  const other = api.serviceAccountToken(account);
  t.match(await cluster.review(token), puller);
  api.serviceAccounts.delete(account);
  time.now += 999;
  t.match(cluster.review(token), puller);
  time.now += 1;
  t.equal(await cluster.review(token), undefined);
  t.match(await cluster.review(other), puller);
  cluster.forget();
  t.equal(await cluster.review(other), undefined);
});

test('a token for another audience is never accepted without a review', async (t) => {
  const any = await checked(t, { check: 'local' });
  const vault = any.api.serviceAccountToken(account, { audiences: ['vault'] });
  t.equal(await any.cluster.review(vault), undefined);
  t.equal(any.reviews(), 1);
  const own = await checked(t, { check: 'local', audiences: ['quayside'] });
  const api = own.api.serviceAccountToken(account);
  t.equal(await own.cluster.review(api), undefined);
  t.match(
    await own.cluster.review(own.api.serviceAccountToken(account, { audiences: ['quayside'] })),
    puller,
  );
  t.equal(own.reviews(), 0);
});

test('claims that no API server writes are asked about', async (t) => {
  const { api, cluster, reviews } = await checked(t, { check: 'local' });
  const odd = api.serviceAccountToken(account, { claims: { 'kubernetes.io': { namespace: 'other' } } });
  await cluster.review(odd);
  t.equal(reviews(), 1);
});

test('a local check works while the API is down, for as long as it may', async (t) => {
  const { api, cluster, time } = await checked(t, { check: 'local' });
  t.match(await cluster.review(api.serviceAccountToken(account)), puller);
  api.switches.isDown = true;
  const token = api.serviceAccountToken(account);
  t.match(await cluster.review(token), puller);
  time.now += 60_000;
  await t.rejects(Promise.resolve(cluster.review(token)), { code: 'UNAVAILABLE' });
});
