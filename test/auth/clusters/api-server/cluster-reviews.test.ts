import { rename } from 'node:fs/promises';
import { inspect } from 'node:util';
import { type Test, test } from 'tap';
import {
  createKubernetesCluster,
  type KubernetesClusterOptions,
} from '../../../../src/auth/clusters/api-server/cluster-reviews.ts';
import type { ClusterEvents } from '../../../../src/auth/clusters/cluster.ts';
import { RegistryError } from '../../../../src/oci/errors.ts';
import { type ClusterDoubleOptions, clusterDouble } from '../../../support/cluster-double.ts';

const token = 'sha256~a-token-of-alice';
const question = {
  verb: 'get',
  group: 'image.openshift.io',
  resource: 'imagestreams',
  subresource: 'layers',
  namespace: 'ocp',
  name: 'cli',
} as const;

type Reviewed = Parameters<ClusterEvents['reviewed']>[0];

async function asked(
  t: Test,
  double: ClusterDoubleOptions = { users: { [token]: { username: 'alice' } } },
  options: Partial<KubernetesClusterOptions> = {},
) {
  const api = await clusterDouble(double);
  const kubeconfigFile = await api.kubeconfig(t.testdir());
  const events: Reviewed[] = [];
  const cluster = await createKubernetesCluster({
    name: 'app.ci',
    kubeconfigFile,
    everyMs: 0,
    events: { reviewed: (event) => events.push(event) },
    ...options,
  });
  t.teardown(async () => {
    await cluster.close();
    await api.close();
  });
  return { api, cluster, events };
}

async function failure(t: Test, asking: unknown): Promise<RegistryError> {
  const error = await Promise.resolve(asking).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof RegistryError)) throw new Error('nothing was refused');
  t.equal(error.code, 'UNAVAILABLE');
  t.ok((error.retryAfterSeconds ?? 0) >= 1);
  t.notMatch(inspect(error, { depth: 9 }), /sha256~a-token|ours-/);
  return error;
}

test('a token that the cluster knows is a subject, with all that it says of them', async (t) => {
  const extra = {
    'scopes.authorization.openshift.io': ['user:info'],
    'example.com/claims': ['', 'x'.repeat(3000)],
  };
  const alice = { username: 'alice', uid: 'u-1', groups: ['dev'], extra };
  const { cluster, events } = await asked(t, { users: { [token]: alice } });
  t.same(await cluster.review(token), {
    name: 'alice',
    uid: 'u-1',
    groups: ['dev', 'system:authenticated'],
    extra,
    cluster: 'app.ci',
  });
  t.equal(await cluster.review('sha256~nobodys'), undefined);
  t.match(events, [
    { cluster: 'app.ci', kind: 'token', outcome: 'yes', subject: 'alice' },
    { cluster: 'app.ci', kind: 'token', outcome: 'no' },
  ]);
});

test('what is asked about a subject is all that is known of them', async (t) => {
  const { api, cluster, events } = await asked(t, { bindings: [{ to: 'dev', namespace: 'ocp' }] });
  const extra = { scopes: ['user:full'] };
  const alice = { name: 'alice', groups: ['dev'], uid: 'u-1', extra, cluster: 'app.ci' };
  t.match(await cluster.ask(alice, question), { allowed: true, reason: /^RBAC: / });
  t.same(await cluster.ask({ name: 'bob', groups: [] }, question), { allowed: false });
  t.same(api.seen('SubjectAccessReview')[0]?.body.spec, {
    user: 'alice',
    groups: ['dev'],
    uid: 'u-1',
    extra,
    resourceAttributes: question,
  });
  t.match(events, [
    { kind: 'access', outcome: 'yes' },
    { kind: 'access', outcome: 'no' },
  ]);
});

test('200 reviews at once open a handful of connections', async (t) => {
  const { api, cluster } = await asked(t, undefined, { connections: 4, timeoutMs: 30_000 });
  const subjects = await Promise.all(Array.from({ length: 200 }, () => cluster.review(token)));
  t.equal(subjects.filter((subject) => subject?.name === 'alice').length, 200);
  t.equal(api.seen('TokenReview').length, 200);
  t.ok(api.connections <= 4, `${api.connections}`);
});

test('2,000 groups fit', async (t) => {
  const groups = Array.from({ length: 2000 }, (_, index) => `${'g'.repeat(100)}-${index}`);
  const { cluster } = await asked(t, {
    users: { [token]: { username: 'alice', groups } },
    bindings: [{ to: groups[1999] ?? '' }],
  });
  const subject = await cluster.review(token);
  t.equal(subject?.groups.length, 2001);
  t.match(await cluster.ask(subject ?? { name: '', groups: [] }, question), { allowed: true });
});

test('a kept connection that the server cuts is no failure', async (t) => {
  const { api, cluster } = await asked(t);
  const twice = () => Promise.all([cluster.review(token), cluster.review(token)]);
  await twice();
  api.switches.closesIdle = true;
  t.match(await twice(), [{ name: 'alice' }, { name: 'alice' }]);
  t.match(await twice(), [{ name: 'alice' }, { name: 'alice' }]);
});

test('a cluster that does not answer says neither yes nor no', async (t) => {
  const { api, cluster, events } = await asked(t);
  await t.test('down', async (t) => {
    api.switches.isDown = true;
    t.match((await failure(t, cluster.review(token))).message, 'cluster app.ci cannot be reached');
    t.match(events.pop(), { outcome: 'failed', failure: 'unreachable' });
    delete api.switches.isDown;
  });
  await t.test('slow', async (t) => {
    const slow = await asked(t, undefined, { timeoutMs: 100 });
    slow.api.switches.isSlow = Number.POSITIVE_INFINITY;
    t.match((await failure(t, slow.cluster.review(token))).message, 'did not answer within 100 ms');
    t.match(slow.events.pop(), { outcome: 'failed', failure: 'slow' });
  });
  await t.test('overloaded', async (t) => {
    for (const status of [429, 500, 503, 404]) {
      Object.assign(api.switches, { answersStatus: status, retryAfter: '7' });
      const error = await failure(t, cluster.review(token));
      t.match(error, { message: `cluster app.ci answered with status ${status}`, retryAfterSeconds: 7 });
      t.match(events.pop(), { outcome: 'failed', failure: 'status', status });
    }
    api.switches.answersStatus = 302;
    t.match((await failure(t, cluster.review(token))).message, 'answered with status 302');
    t.match(events.pop(), { failure: 'status', status: 302 });
    delete api.switches.answersStatus;
  });
  await t.test('unwilling', async (t) => {
    api.switches.forbidsUs = true;
    t.match(
      (await failure(t, cluster.review(token))).message,
      /\(403\): bind the ClusterRole system:auth-delegator to/,
    );
    t.match(events.pop(), { outcome: 'failed', failure: 'not-allowed-to-ask', status: 403 });
    delete api.switches.forbidsUs;
    api.switches.doesNotKnowUs = true;
    t.match(
      (await failure(t, cluster.review(token))).message,
      /\(401\): it does not accept the credentials of this service/,
    );
    t.match(events.pop(), { outcome: 'failed', failure: 'not-allowed-to-ask', status: 401 });
    delete api.switches.doesNotKnowUs;
  });
  t.match(await cluster.review(token), { name: 'alice' }, 'and all is well once it does');
});

test('an answer that makes no sense says neither yes nor no', async (t) => {
  const { api, cluster, events } = await asked(t);
  const subject = { name: 'alice', groups: [] };
  const isInvalid = async (asking: unknown) => {
    t.match((await failure(t, asking)).message, /answered with/);
    t.match(events.pop(), { outcome: 'failed', failure: 'invalid' });
  };
  api.switches.liesNoName = true;
  await isInvalid(cluster.review(token));
  for (const value of ['true', 1, {}]) {
    api.switches.saysYesAs = value;
    await isInvalid(cluster.review(token));
    await isInvalid(cluster.ask(subject, question));
  }
  api.switches.answersHtml = true;
  await isInvalid(cluster.review(token));
  delete api.switches.answersHtml;
  const spec = { token };
  const texts = [
    JSON.stringify({ spec }).slice(0, -3),
    JSON.stringify({ kind: 'Status', spec, status: 'Success' }),
    JSON.stringify({
      kind: 'TokenReview',
      status: { authenticated: true, user: { username: 'x'.repeat(2000) } },
    }),
    JSON.stringify({ kind: 'TokenReview', padding: 'x'.repeat(2 ** 20), status: { authenticated: false } }),
  ];
  for (const text of texts) {
    api.switches.answersText = text;
    await isInvalid(cluster.review(token));
  }
});

test('a token that the cluster could not look up is not a wrong one', async (t) => {
  const { api, cluster, events } = await asked(t);
  const says = (error: string): void => {
    const status = { authenticated: false, user: {}, error };
    api.switches.answersText = JSON.stringify({ kind: 'TokenReview', status });
  };
  for (const error of [
    '[invalid bearer token, Post "https://10.0.0.1/apis/oauth.openshift.io/v1/tokenreviews": dial tcp 10.0.0.1:443: connect: connection refused]',
    'Post "https://oauth.example/": context deadline exceeded',
    'oidc: authenticator not initialized',
    'the server is currently unable to handle the request',
  ]) {
    says(error);
    t.match((await failure(t, cluster.review(token))).message, /cannot reach its token authenticator/);
    t.match(events.pop(), { outcome: 'failed', failure: 'unreachable' });
  }
  for (const error of [
    '[invalid bearer token, token lookup failed]',
    '[invalid bearer token, service account token has expired]',
    'oidc: verify token: oidc: token is expired (Token Expiry: 2026-11-22 00:00:00 +0000 UTC)',
    '',
  ]) {
    says(error);
    t.equal(await cluster.review(token), undefined);
  }
});

test('a rotated token, and whatever else says who we are, is taken up at once', async (t) => {
  const { api, cluster } = await asked(t);
  t.match(await cluster.review(token), { name: 'alice' });
  await api.rotateToken();
  t.match(await cluster.review(token), { name: 'alice' });
  const { connections } = api;
  await api.kubeconfig(t.testdirName, 'certificate');
  t.match(await cluster.review(token), { name: 'alice' });
  t.equal(api.connections, connections + 1, 'another certificate is another connection');
  await api.kubeconfig(t.testdirName, 'none');
  t.match(await failure(t, cluster.review(token)), { message: /401/ });
});

test('a credential plug-in is run once for all who wait', async (t) => {
  const { api } = await asked(t);
  const kubeconfigFile = await api.kubeconfig(t.testdir(), 'exec');
  const cluster = await createKubernetesCluster({ name: 'app.ci', kubeconfigFile });
  t.teardown(() => cluster.close());
  const subjects = await Promise.all(Array.from({ length: 20 }, () => cluster.review(token)));
  t.match(subjects.at(-1), { name: 'alice' });
});

test('what runs when the cluster is closed fails, and so does what comes later', async (t) => {
  const { api, cluster } = await asked(t);
  api.switches.isSlow = Number.POSITIVE_INFINITY;
  const running = failure(t, cluster.review(token));
  await cluster.close();
  t.match((await running).message, 'cannot be reached');
  t.match((await failure(t, cluster.review(token))).message, 'cannot be reached');
});

test('a certificate of another authority is no cluster of ours', async (t) => {
  const { api } = await asked(t);
  const kubeconfigFile = await api.kubeconfig(t.testdir());
  const other = await clusterDouble();
  t.teardown(() => other.close());
  await other.kubeconfig(`${t.testdirName}/other`);
  await rename(`${t.testdirName}/other/ca.crt`, `${t.testdirName}/ca.crt`);
  const cluster = await createKubernetesCluster({ name: 'app.ci', kubeconfigFile });
  t.teardown(() => cluster.close());
  t.match((await failure(t, cluster.review(token))).message, 'cannot be reached');
  t.equal(api.requests.length, 0);
});
