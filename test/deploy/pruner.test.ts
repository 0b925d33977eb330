import { test } from 'tap';
import { listOf } from '../../src/base/text/json.ts';
import { parsePruneImagesFlags, parsePruneTagsFlags } from '../../src/cli/prune/options.ts';
import type { Config } from '../../src/config/config.ts';
import { cases, imagePruner, pruners } from './cases.ts';
import { at, filesIn, portOf, Rendered } from './rendered.ts';

const [hourly, nightly] = await Promise.all(pruners.map(Rendered.of));
if (hourly === undefined || nightly === undefined) throw new Error('no pruner');

const wishOf = (made: Rendered) => {
  const [command, kind, ...words] = listOf(made.container['args']).map(String);
  if (command !== 'prune' || kind !== 'tags') throw new Error('another command');
  return parsePruneTagsFlags(words);
};

for (const made of [hourly, nightly])
  test(`${made.one.name}: the command is accepted, and its files are in mounted directories`, async (t) => {
    const wish = wishOf(made);
    t.match(wish, { confirm: true, hasStreams: true, ttlDays: 60 });
    t.same(wish.targets, [{ registry: 'quay.io', repository: 'openshift/ci' }]);
    const files = [...filesIn(made.config), String(wish.config), String(wish.tokenFile)];
    t.equal(files.length, 5);
    for (const file of files)
      t.ok(
        made.mounts.some((mount) => file.startsWith(`${mount}/`)),
        file,
      );
    t.notMatch(JSON.stringify(made.all), /subPath/);
    t.equal(made.pod['serviceAccountName'], at(made.the('ServiceAccount'), 'metadata', 'name'));
    t.equal(made.pod['automountServiceAccountToken'], true);
  });

test('a Deployment prunes each hour, and a CronJob once a night', async (t) => {
  t.equal(wishOf(hourly).everyMs, 3_600_000);
  t.same(hourly.of('CronJob'), []);
  t.equal(wishOf(nightly).everyMs, undefined);
  t.same(nightly.of('Deployment'), []);
  t.match(nightly.the('CronJob')['spec'], { schedule: '17 3 * * *', concurrencyPolicy: 'Forbid' });
  t.equal(nightly.pod['restartPolicy'], 'Never');
});

test('the pruner is no server: nothing leads to it, and its network lets in its metrics alone', async (t) => {
  const port = portOf(String(wishOf(hourly).metrics));
  t.same([...hourly.letIn.keys()], [port]);
  t.same([...nightly.letIn.keys()], []);
  for (const made of [hourly, nightly]) {
    for (const kind of [
      'Service',
      'Route',
      'PodDisruptionBudget',
      'HorizontalPodAutoscaler',
      'ServiceMonitor',
    ])
      t.same(made.of(kind), [], kind);
    t.same(made.letOut, new Set([5353, 443, 6443]));
    t.match(made.labels, at(made.the('NetworkPolicy'), 'spec', 'podSelector', 'matchLabels'));
  }
});

test('the pruner takes names in image streams for what the service takes them for', async (t) => {
  const [cache] = cases;
  if (cache === undefined) throw new Error('no case');
  const served = (await Rendered.of(cache)).config;
  const meaning = ({ hosts, defaultUpstream }: Config) => [
    defaultUpstream,
    ...Object.entries(hosts).map(([name, { upstream }]) => [name, upstream]),
  ];
  t.same(meaning(hourly.config), meaning(served));
  t.same(hourly.config.upstreams['quay.io']?.repositories?.length, 1);
});

test('the pruner shows metrics where they are read, and only the Deployment has them', async (t) => {
  const { metrics } = wishOf(hourly);
  t.same([...hourly.ports], [['metrics', portOf(String(metrics))]]);
  t.equal(at(hourly.container, 'livenessProbe', 'httpGet', 'path'), '/healthz');
  const monitor = hourly.the('PodMonitor');
  t.equal(at(monitor, 'spec', 'podMetricsEndpoints', 0, 'port'), 'metrics');
  t.match(hourly.labels, at(monitor, 'spec', 'selector', 'matchLabels'));
  t.same(nightly.of('PodMonitor'), []);
});

test('the pruner may follow image streams and hold the Lease of its settings, and nothing else', async (t) => {
  for (const made of [hourly, nightly]) {
    t.same(
      made.of('ClusterRole').map((role) => role['rules']),
      [[{ apiGroups: ['image.openshift.io'], resources: ['imagestreams'], verbs: ['list', 'watch'] }]],
    );
    t.same(
      made.of('ClusterRoleBinding').map((binding) => at(binding, 'roleRef', 'name')),
      made.of('ClusterRole').map((role) => at(role, 'metadata', 'name')),
    );
    const { namespace, name } = made.config.mirror?.lease ?? {};
    const leases = made.the('Role');
    t.equal(at(leases, 'metadata', 'namespace'), namespace);
    t.same(leases['rules'], [
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
      {
        apiGroups: ['coordination.k8s.io'],
        resources: ['leases'],
        resourceNames: [`${name}-prune`],
        verbs: ['get', 'update'],
      },
    ]);
  }
});

test('the pruner of the integrated registry finds its files, and has the account with its rights', async (t) => {
  const made = await Rendered.of(imagePruner);
  const [command, kind, ...words] = listOf(made.container['args']).map(String);
  t.same([command, kind], ['prune', 'images']);
  const wish = parsePruneImagesFlags(words);
  if (!('integrated' in wish)) throw new Error('it is for repositories');
  const { integrated } = wish;
  t.match(integrated, { confirm: true, keepTagRevisions: 3, keepYoungerThanMs: 96 * 3_600_000 });
  t.match(made.the('CronJob')['spec'], { schedule: '41 1 * * *', concurrencyPolicy: 'Forbid' });
  const { store } = made.config;
  const path = 'filesystem' in store ? store.filesystem.path : '';
  for (const file of [String(integrated.config), String(integrated.certificateAuthority), path])
    t.ok(
      made.mounts.some((mount) => file === mount || file.startsWith(`${mount}/`)),
      file,
    );
  t.notMatch(JSON.stringify(made.all), /subPath/);
  t.equal(made.pod['automountServiceAccountToken'], true);
  t.equal(made.pod['serviceAccountName'], at(made.the('ServiceAccount'), 'metadata', 'name'));
  t.equal(at(made.the('ClusterRoleBinding'), 'subjects', 0, 'name'), made.pod['serviceAccountName']);
  t.equal(
    at(made.the('ClusterRoleBinding'), 'roleRef', 'name'),
    at(made.the('ClusterRole'), 'metadata', 'name'),
  );
  const port = Number(new URL(String(integrated.registryUrl)).port);
  t.same(made.letOut, new Set([5353, 5000, 443, 6443]));
  t.equal(port, 5000);
  t.same([...made.letIn.keys()], []);
});
