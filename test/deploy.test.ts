import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type Document, parse, parseAllDocuments } from 'yaml';
import type { Run } from '../src/cli/flags/io.ts';
import { parsePruneTagsFlags } from '../src/cli/prune/options.ts';
import type { Start } from '../src/cli/serve/serve.ts';
import type { Config } from '../src/config/config.ts';
import { load } from '../src/config/load.ts';
import { mirrorServing } from '../src/predecessors/commands/mirror-serve.ts';
import { proxying } from '../src/predecessors/commands/proxy.ts';
import { recordedIo } from './cli/io.ts';

const folder = join(import.meta.dirname, '../deploy');
const text = (path: string): Promise<string> => readFile(join(folder, path), 'utf8');

async function yamlFiles(): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).filter((path) => path.endsWith('.yaml'));
}

/** The objects of a manifest. */
async function objects(path: string): Promise<Document[]> {
  return [...parseAllDocuments(await text(path))];
}

async function object(path: string, index = 0): Promise<Document> {
  const document = (await objects(path))[index];
  if (document === undefined) throw new Error(`${path} holds no object ${index}`);
  return document;
}

/** The texts under `key` of every entry of the list at `path`. */
function each(document: Document, path: readonly (string | number)[], key: string): string[] {
  const found: string[] = [];
  for (let index = 0; document.hasIn([...path, index]); index += 1)
    found.push(String(document.getIn([...path, index, key])));
  return found;
}

const pod = ['spec', 'template', 'spec'] as const;
const container = [...pod, 'containers', 0] as const;

/** The service's settings as the ConfigMap holds them. */
async function settings(): Promise<Config> {
  return load(String((await object('kubernetes/config.yaml')).getIn(['data', 'quayside.yaml'])), {});
}

/** Every file that the settings name. */
function filesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    if (key.endsWith('Files') && Array.isArray(inner)) return inner.map(String);
    return key.endsWith('File') ? [String(inner)] : filesIn(inner);
  });
}

/** The arguments of a Deployment's container, and the settings that they mean. */
async function printed(path: string, run: (start: Start) => Run, command: readonly string[]) {
  const words = argumentsAt(await object(path), container);
  const io = recordedIo();
  const never = () => Promise.reject(new Error('started'));
  const code = await run(never)([...words.slice(command.length), '--print-config'], io);
  if (code !== 0) throw new Error(io.err());
  return { words, config: load(io.out(), {}) };
}

test('every YAML file parses, and every object of a cluster has kind and name', async (t) => {
  for (const path of await yamlFiles()) {
    for (const document of await objects(path)) {
      t.same(document.errors, [], path);
      if (!path.includes('/') || path.startsWith('monitoring/')) continue;
      for (const field of [['apiVersion'], ['kind'], ['metadata', 'name']])
        t.type(document.getIn(field), 'string', `${path}: ${field.join('.')}`);
    }
  }
});

test('the settings in the ConfigMap are accepted, and every file that they name is mounted', async (t) => {
  const mounts = each(
    await object('kubernetes/deployment.yaml'),
    [...container, 'volumeMounts'],
    'mountPath',
  );
  const config = await settings();
  const files = filesIn(config);
  t.ok(files.length >= 5);
  for (const file of [...files, config.spool.path])
    t.ok(
      mounts.some((mount) => file === mount || file.startsWith(`${mount}/`)),
      file,
    );
});

test('every mount has a volume, and the file that the image is started with is one of them', async (t) => {
  const deployment = await object('kubernetes/deployment.yaml');
  const volumes = each(deployment, [...pod, 'volumes'], 'name');
  for (const name of each(deployment, [...container, 'volumeMounts'], 'name'))
    t.ok(volumes.includes(name), name);
  const [, command = '[]'] = /^CMD (.+)$/m.exec(await text('Containerfile')) ?? [];
  const mounts = each(deployment, [...container, 'volumeMounts'], 'mountPath');
  t.ok(mounts.includes(String(JSON.parse(command).at(-1))));
});

test('ports, probes and services are those that the service listens on', async (t) => {
  const deployment = await object('kubernetes/deployment.yaml');
  const config = await settings();
  const ports = each(deployment, [...container, 'ports'], 'containerPort');
  t.same(ports, [portOf(config.listen), portOf(String(config.admin.listen))]);
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    t.match(deployment.getIn([...container, probe, 'httpGet', 'path']), /^\/(livez|readyz)$/);
    t.equal(deployment.getIn([...container, probe, 'httpGet', 'port']), 'admin');
  }
  await reachesPods(t, 'kubernetes/service.yaml', deployment);
});

test('a pod has time to finish what runs, and room for what its spool may hold', async (t) => {
  const deployment = await object('kubernetes/deployment.yaml');
  const { shutdownGraceMs, spool } = await settings();
  const graceSeconds = Number(deployment.getIn([...pod, 'terminationGracePeriodSeconds']));
  t.ok(graceSeconds * 1000 > shutdownGraceMs + 5_000);
  const spoolVolume = each(deployment, [...pod, 'volumes'], 'name').indexOf('spool');
  const limit = String(deployment.getIn([...pod, 'volumes', spoolVolume, 'emptyDir', 'sizeLimit']));
  t.ok(Number.parseInt(limit, 10) * 1024 ** 3 > spool.maxBytes, limit);
});

test('the mirror sets send the same repositories to the same place, which the settings serve', async (t) => {
  const tags = await object('openshift/tag-mirrors.yaml');
  const digests = await object('openshift/digest-mirrors.yaml');
  const [tagSet, digestSet] = [
    tags.getIn(['spec', 'imageTagMirrors', 0]),
    digests.getIn(['spec', 'imageDigestMirrors', 0]),
  ];
  t.equal(String(tagSet), String(digestSet));
  const entry = ['spec', 'imageTagMirrors', 0] as const;
  const source = String(tags.getIn([...entry, 'source']));
  t.equal(source, 'quay-proxy.ci.openshift.org/openshift/ci');
  const mirror = String(tags.getIn([...entry, 'mirrors', 0]));
  const next = String(tags.getIn([...entry, 'mirrors', 1]));
  const provider = await object('openshift/credential-provider.yaml');
  t.equal(provider.getIn(['spec', 'matchImages', 0]), source, 'the source, and not a mirror');
  const { hosts, upstreams } = await settings();
  const [host = '', upstream = '', ...repository] = mirror.split('/');
  t.ok(hosts[host]);
  t.equal(`${upstream}/${repository.join('/')}`, next, 'QCI, when Quayside does not answer');
  t.ok(upstreams[upstream]?.repositories?.includes(repository.join('/')));
  t.equal((await object('openshift/route.yaml')).getIn(['spec', 'host']), host);
});

const successor = 'openshift/qci-appci/deployment.yaml';

test('the successor of qci-appci is started with its arguments, and they mean what the sample file says', async (t) => {
  const { words, config } = await printed(successor, proxying, ['proxy']);
  t.equal(words[0], 'proxy');
  t.same(config, load(await text('quayside-qci-appci.yaml'), {}));
});

test('the successor of qci-appci finds each of its files mounted, and is probed and reached where it listens', async (t) => {
  const deployment = await object(successor);
  const config = load(await text('quayside-qci-appci.yaml'), {});
  const mounts = each(deployment, [...container, 'volumeMounts'], 'mountPath');
  const files = filesIn(config);
  t.ok(files.length >= 7);
  for (const file of [...files, config.spool.path])
    t.ok(
      mounts.some((mount) => file.startsWith(`${mount}/`)),
      file,
    );
  t.same(each(deployment, [...container, 'ports'], 'containerPort'), [portOf(config.listen)]);
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
    t.match(deployment.getIn([...container, probe, 'httpGet', 'path']), /^\/(healthz|readyz)$/);
    t.equal(deployment.getIn([...container, probe, 'httpGet', 'scheme']), 'HTTPS');
  }
  const [service, route] = await objects('openshift/qci-appci/route.yaml');
  t.equal(
    String(service?.getIn(['spec', 'selector'])),
    String(deployment.getIn(['spec', 'template', 'metadata', 'labels'])),
  );
  t.equal(`https://${route?.getIn(['spec', 'host'])}`, config.publicUrl);
  t.equal(route?.getIn(['spec', 'tls', 'termination']), 'passthrough');
  const account = await object('rbac/auth-delegator.yaml');
  t.equal(deployment.getIn([...pod, 'serviceAccountName']), account.getIn(['metadata', 'name']));
});

const mirror = 'openshift/ci-images-mirror';

test('the successor of ci-images-mirror is started with its arguments, and shows itself where that did', async (t) => {
  const { words, config } = await printed(`${mirror}/deployment.yaml`, mirrorServing, ['mirror', 'serve']);
  t.same(words, [
    'mirror',
    'serve',
    '--leader-election-namespace=ci',
    '--release-repo-git-sync-path=/var/repo/release',
    '--registry-config=/etc/push/.dockerconfigjson',
    '--config=/var/repo/release/core-services/image-mirroring/_config.yaml',
  ]);
  const deployment = await object(`${mirror}/deployment.yaml`);
  const ports = each(deployment, [...container, 'ports'], 'containerPort');
  t.same(ports, ['8090', '8080']);
  t.same(ports, [portOf(String(config.mirror?.listen)), portOf(String(config.admin.listen))]);
  const [monitor] = await objects(`${mirror}/monitor.yaml`);
  const scraped = monitor?.getIn(['spec', 'podMetricsEndpoints', 0, 'port']);
  t.equal(scraped, each(deployment, [...container, 'ports'], 'name')[1]);
  t.equal(
    String(monitor?.getIn(['spec', 'selector', 'matchLabels'])),
    String(deployment.getIn(['spec', 'selector', 'matchLabels'])),
  );
});

test('it finds its files, keeps its queue on a volume that outlives the pod, and has time to stop', async (t) => {
  const { config } = await printed(`${mirror}/deployment.yaml`, mirrorServing, ['mirror', 'serve']);
  const [deployment, claim] = await objects(`${mirror}/deployment.yaml`);
  if (deployment === undefined) throw new Error('no Deployment');
  const mounts = each(deployment, [...container, 'volumeMounts'], 'mountPath');
  const files = filesIn(config);
  t.same(files.length, 2);
  for (const file of [...files, `${config.mirror?.imageStreams?.releaseRepo}/ci-operator`])
    t.ok(
      mounts.some((mount) => file.startsWith(`${mount}/`)),
      file,
    );
  t.match(config.store, { filesystem: { path: /^(?!\/)/ } });
  const kept = mounts.indexOf(String(deployment.getIn([...container, 'workingDir'])));
  const name = deployment.getIn([...container, 'volumeMounts', kept, 'name']);
  const volume = each(deployment, [...pod, 'volumes'], 'name').indexOf(String(name));
  const claimed = deployment.getIn([...pod, 'volumes', volume, 'persistentVolumeClaim', 'claimName']);
  t.equal(claimed, claim?.getIn(['metadata', 'name']));
  const graceSeconds = Number(deployment.getIn([...pod, 'terminationGracePeriodSeconds']));
  t.ok(graceSeconds * 1000 > config.shutdownGraceMs);
});

test('it may read image streams and hold the Lease that its arguments name, and nothing else', async (t) => {
  const { config } = await printed(`${mirror}/deployment.yaml`, mirrorServing, ['mirror', 'serve']);
  const [account, streams, , leases] = await objects(`${mirror}/rbac.yaml`);
  const deployment = await object(`${mirror}/deployment.yaml`);
  t.equal(deployment.getIn([...pod, 'serviceAccountName']), account?.getIn(['metadata', 'name']));
  t.same(streams?.toJS().rules, [
    { apiGroups: ['image.openshift.io'], resources: ['imagestreams'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['image.openshift.io'], resources: ['imagestreamtags'], verbs: ['get'] },
  ]);
  const { namespace, name } = config.mirror?.lease ?? {};
  t.equal(leases?.getIn(['metadata', 'namespace']), namespace);
  t.same(leases?.toJS().rules, [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: [name],
      verbs: ['get', 'update'],
    },
  ]);
});

const pruner = 'kubernetes/prune';

test('the pruner is started as a Deployment each hour and as a CronJob once, with files that are mounted', async (t) => {
  const settings = load(String((await object(`${pruner}/config.yaml`)).getIn(['data', 'quayside.yaml'])), {});
  const service = await object(`${pruner}/deployment.yaml`);
  const nightly = await object(`${pruner}/cronjob.yaml`);
  const forms = [
    { document: service, spec: [...pod], everyMs: 3_600_000 },
    { document: nightly, spec: ['spec', 'jobTemplate', ...pod], everyMs: undefined },
  ];
  const account = await object(`${pruner}/rbac.yaml`);
  for (const { document, spec, everyMs } of forms) {
    const own = [...spec, 'containers', 0];
    const [, , ...words] = argumentsAt(document, own);
    const wish = parsePruneTagsFlags(words);
    t.match(wish, { confirm: true, hasStreams: true, everyMs, ttlDays: 60 });
    t.same(wish.targets, [{ registry: 'quay.io', repository: 'openshift/ci' }]);
    const mounts = each(document, [...own, 'volumeMounts'], 'mountPath');
    const files = [...filesIn(settings), String(wish.config), String(wish.tokenFile)];
    t.equal(files.length, 5);
    for (const file of files)
      t.ok(
        mounts.some((mount) => file === mount || file.startsWith(`${mount}/`)),
        file,
      );
    t.same(each(document, [...own, 'volumeMounts'], 'name'), each(document, [...spec, 'volumes'], 'name'));
    t.equal(document.getIn([...spec, 'serviceAccountName']), account.getIn(['metadata', 'name']));
  }
});

test('the pruner takes names in image streams for what the service takes them for', async (t) => {
  const own = load(String((await object(`${pruner}/config.yaml`)).getIn(['data', 'quayside.yaml'])), {});
  const served = await settings();
  const meaning = ({ hosts, defaultUpstream }: Config) => [
    defaultUpstream,
    ...Object.entries(hosts).map(([name, { upstream }]) => [name, upstream]),
  ];
  t.same(meaning(own), meaning(served));
  t.same(own.upstreams['quay.io']?.repositories?.length, 1);
});

test('the pruner shows metrics where they are read, and only the Deployment has them', async (t) => {
  const service = await object(`${pruner}/deployment.yaml`);
  const { metrics } = parsePruneTagsFlags(argumentsAt(service, container).slice(2));
  t.same(each(service, [...container, 'ports'], 'containerPort'), [portOf(String(metrics))]);
  t.equal(service.getIn([...container, 'livenessProbe', 'httpGet', 'path']), '/healthz');
  const monitor = await object(`${pruner}/monitor.yaml`);
  const [port] = each(service, [...container, 'ports'], 'name');
  t.equal(monitor.getIn(['spec', 'podMetricsEndpoints', 0, 'port']), port);
  const labels = String(service.getIn(['spec', 'template', 'metadata', 'labels']));
  t.equal(String(monitor.getIn(['spec', 'selector', 'matchLabels'])), labels);
  const nightly = await object(`${pruner}/cronjob.yaml`);
  t.not(String(nightly.getIn(['spec', 'jobTemplate', 'spec', 'template', 'metadata', 'labels'])), labels);
});

test('the pruner may follow image streams and hold the Lease of its settings, and nothing else', async (t) => {
  const { mirror: settings } = load(
    String((await object(`${pruner}/config.yaml`)).getIn(['data', 'quayside.yaml'])),
    {},
  );
  const [account, streams, , leases] = await objects(`${pruner}/rbac.yaml`);
  t.same(streams?.toJS().rules, [
    { apiGroups: ['image.openshift.io'], resources: ['imagestreams'], verbs: ['list', 'watch'] },
  ]);
  const { namespace, name } = settings?.lease ?? {};
  t.equal(leases?.getIn(['metadata', 'namespace']), namespace);
  t.equal(account?.getIn(['metadata', 'namespace']), namespace);
  t.same(leases?.toJS().rules, [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: [`${name}-prune`],
      verbs: ['get', 'update'],
    },
  ]);
});

test('applying the folder of the service starts no pruner', async (t) => {
  const applied = await readdir(join(folder, 'kubernetes'));
  for (const path of applied.filter((name) => name.endsWith('.yaml')))
    for (const document of await objects(`kubernetes/${path}`))
      t.notMatch(String(document.getIn(['metadata', 'name'])), /prune/);
});

test('the sample of all three parts joins them: who pulls what, from where a miss comes, and who copies', async (t) => {
  const config = load(await text('quayside-ci.yaml'), {});
  const { upstreams, hosts, clusters } = config;
  const settings = config.mirror;
  const alone = (await printed(`${mirror}/deployment.yaml`, mirrorServing, ['mirror', 'serve'])).config
    .mirror;
  t.same(settings?.lease, alone?.lease, 'never beside the mirror that it may replace');
  t.equal(settings?.listen, alone?.listen);
  t.ok(clusters[settings?.imageStreams?.cluster ?? '']);
  const { 'registry.ci.openshift.org': source } = upstreams;
  t.same(source?.repositories, [], 'for misses only, not for clients that name it');
  t.same(upstreams['quay.io']?.repositories, ['openshift/ci']);
  t.same(Object.keys(hosts), ['quay-proxy.ci.openshift.org', 'qci-cache.ci.openshift.org']);
  for (const [name, host] of Object.entries(hosts)) {
    t.not(host.auth, 'none', name);
    t.equal(host.upstream, 'quay.io', name);
  }
  t.ok('s3' in config.store, 'replicas share what they know, and the queue');
  t.ok(settings?.misses.imageStreams?.test('ocp/4.20:cli'));
  t.notOk(settings?.misses.imageStreams?.test('ocp-priv/4.20-priv:cli'));
  t.ok(filesIn(config).length >= 12);
});

/** What the container there is started with. */
function argumentsAt(document: Document, path: readonly (string | number)[]): readonly string[] {
  const args: unknown = parse(String(document.getIn([...path, 'args'])));
  return Array.isArray(args) ? args.map(String) : [];
}

async function reachesPods(t: Test, path: string, deployment: Document): Promise<void> {
  const labels = String(deployment.getIn(['spec', 'template', 'metadata', 'labels']));
  const names = each(deployment, [...container, 'ports'], 'name');
  for (const service of await objects(path)) {
    t.equal(String(service.getIn(['spec', 'selector'])), labels);
    for (const port of each(service, ['spec', 'ports'], 'targetPort')) t.ok(names.includes(port), port);
  }
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}
