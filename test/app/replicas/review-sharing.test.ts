import { join } from 'node:path';
import { type Test, test } from 'tap';
import { configuredSharing } from '../../../src/app/replicas/review-sharing.ts';
import { randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { load } from '../../../src/config/load.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { getRaw } from '../../bad-days/rig.ts';
import { basicLine } from '../../support/access-rig.ts';
import { until } from '../../support/bodies.ts';
import { type ClusterDouble, clusterDouble } from '../../support/cluster-double.ts';
import { type S3Double, s3Double } from '../../support/s3-double.ts';
import { serviceRig } from '../../support/service.ts';

const cluster = '{ kubeconfigFile: /nowhere }';
const host = 'auth: cluster, access: open, upstream: quay.io';
const inStore = randomTokenKeys();

/** Of which cluster tokens are shared, and by whose key: `file` or `store`. */
async function sharedBy(settings: string): Promise<Readonly<Record<string, string>>> {
  const config = load(
    `{ upstreams: { quay.io: {} }, clusters: { a: ${cluster}, b: ${cluster} }, ${settings} }`,
    {},
  );
  const { records } = createMemoryStore();
  const parts = { records, tokenKeys: () => inStore, events: { storeFailed: () => undefined } };
  const sharing = configuredSharing(config, parts);
  const named: [string, string][] = [];
  for (const name of ['a', 'b']) {
    const keys = await sharing.of(name)?.keys();
    if (keys !== undefined) named.push([name, keys === inStore ? 'store' : 'file']);
  }
  await sharing.close();
  return Object.fromEntries(named);
}

test('tokens are shared where replicas can share the store, but none of operators by a key in it', async (t) => {
  const file = join(t.testdir({ secret: 'a secret of the test, of thirty-two bytes or more' }), 'secret');
  const directory = `store: { filesystem: { path: ${t.testdirName} } }`;
  const hosts = `hosts: { plain: { ${host} }, keyed: { ${host}, tokenSecretFile: ${file} } }`;
  const admin = 'admin: { cluster: a }';
  t.same(await sharedBy('store: { memory: {} }'), {});
  t.same(await sharedBy(directory), { a: 'store', b: 'store' });
  t.same(await sharedBy(`${directory}, ${admin}`), { b: 'store' });
  t.same(await sharedBy(`${directory}, ${admin}, ${hosts}`), { a: 'file', b: 'file' });
});

async function replica(t: Test, double: ClusterDouble, s3: S3Double) {
  const directory = t.testdirName;
  const rig = await serviceRig(t, {
    settings: {
      store: {
        s3: {
          bucket: 'blobs',
          endpoint: s3.endpoint,
          pathStyle: true,
          accessKeyIdFile: join(directory, 'id'),
          secretAccessKeyFile: join(directory, 'key'),
        },
      },
      spool: { path: join(directory, `spool-${Math.random()}`) },
      clusters: { 'app.ci': { kubeconfigFile: await double.kubeconfig(join(directory, 'cluster')) } },
      hosts: { 'ci.example.com': { auth: 'cluster', access: 'open', upstream: 'quay.io' } },
    },
  });
  const status = async (token: string) =>
    (await getRaw(rig.url, '/v2/auth', 'Host: ci.example.com', basicLine('any', token))).status;
  return { rig, status };
}

test('two services on one bucket cost one TokenReview for a token, until one of them forgets', async (t) => {
  t.testdir({ id: 'AKIDEXAMPLE', key: 'a-secret-key' });
  const s3 = await s3Double();
  const double = await clusterDouble({ serviceAccounts: ['team-0/puller'] });
  t.teardown(async () => {
    await s3.close();
    await double.close();
  });
  const token = double.serviceAccountToken('team-0/puller');
  const first = await replica(t, double, s3);
  const second = await replica(t, double, s3);
  const reviews = () => double.seen('TokenReview').length;
  const isShared = () => [...s3.objects.keys()].some((key) => key.includes('v1/secrets/reviews/'));
  t.equal(await first.status(token), 200);
  await until(isShared, 'the record of the review');
  t.equal(await second.status(token), 200);
  t.equal(reviews(), 1);
  t.match(
    await second.rig.metrics(),
    'quayside_cluster_reviews_remembered_total{cluster="app.ci",kind="shared"} 1',
  );
  second.rig.service.forget();
  t.equal(await second.status(token), 200);
  t.equal(reviews(), 2);
  const stored = [...s3.objects].map(([key, { bytes }]) => `${key} ${bytes.toString('latin1')}`).join('\n');
  for (const part of [token, ...token.split('.'), 'team-0'])
    t.notOk(stored.includes(part), 'no token is stored');
  t.notOk(second.rig.logText().includes(token));
});

test('wrong tokens leave nothing in the bucket', async (t) => {
  t.testdir({ id: 'AKIDEXAMPLE', key: 'a-secret-key' });
  const s3 = await s3Double();
  const double = await clusterDouble();
  t.teardown(async () => {
    await s3.close();
    await double.close();
  });
  const { rig, status } = await replica(t, double, s3);
  t.equal(await status(`sha256~${'x'.repeat(43)}`), 401);
  await rig.stop();
  t.same(
    [...s3.objects.keys()].filter((key) => key.includes('reviews')),
    [],
  );
});
