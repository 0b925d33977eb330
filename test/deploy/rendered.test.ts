import { test } from 'tap';
import { parse } from 'yaml';
import { field, listOf } from '../../src/base/text/json.ts';
import type { Run } from '../../src/cli/flags/io.ts';
import type { Start } from '../../src/cli/serve/serve.ts';
import type { Config } from '../../src/config/config.ts';
import { load } from '../../src/config/load.ts';
import { mirrorServing } from '../../src/predecessors/commands/mirror-serve.ts';
import { proxying } from '../../src/predecessors/commands/proxy.ts';
import { recordedIo } from '../cli/io.ts';
import { cases, mergedValues } from './cases.ts';
import { at, filesIn, portOf, Rendered } from './rendered.ts';

const rendered = new Map(
  await Promise.all(cases.map(async (one) => [one.name, await Rendered.of(one)] as const)),
);

function theCase(name: string): Rendered {
  const found = rendered.get(name);
  if (found === undefined) throw new Error(`no case ${name}`);
  return found;
}

for (const [name, made] of rendered) {
  test(`${name}: every object has a kind, a name and its namespace`, (t) => {
    for (const object of made.all) {
      t.type(object['apiVersion'], 'string');
      t.type(at(object, 'metadata', 'name'), 'string', String(object['kind']));
      if (!/^Cluster/.test(String(object['kind'])))
        t.type(at(object, 'metadata', 'namespace'), 'string', String(object['kind']));
    }
    t.end();
  });

  test(`${name}: the settings are accepted, and every file that they name is in a mounted directory`, (t) => {
    const { config, mounts } = made;
    const files = filesIn(config);
    t.ok(files.length >= 2);
    for (const file of [...files, config.spool.path])
      t.ok(
        mounts.some((mount) => file === mount || file.startsWith(`${mount}/`)),
        file,
      );
    const args = listOf(made.container['args']).map(String);
    t.same(args.slice(0, 2), ['serve', '--config']);
    t.ok(mounts.some((mount) => args[2]?.startsWith(`${mount}/`)));
    t.notMatch(JSON.stringify(made.all), /subPath/, 'a subPath never changes');
    t.end();
  });

  test(`${name}: every mount has a volume, and Secrets are read-only`, (t) => {
    const volumes = new Map(
      listOf(made.pod['volumes']).map((volume) => [String(field(volume, 'name')), volume]),
    );
    for (const mount of listOf(made.container['volumeMounts'])) {
      const volume = volumes.get(String(field(mount, 'name')));
      t.ok(volume, String(field(mount, 'name')));
      if (field(volume, 'secret') !== undefined) t.equal(field(mount, 'readOnly'), true);
    }
    t.end();
  });

  test(`${name}: ports, probes and Services are those that the service listens on`, (t) => {
    const { config, ports, labels } = made;
    const { listen, admin, fleet, mirror } = config;
    const wanted = { pull: listen, admin: admin.listen, fleet: fleet?.listen, mirror: mirror?.listen };
    const open = Object.entries(wanted).filter(
      ([, address]) => typeof address === 'string' && !address.startsWith('127.'),
    );
    t.same(ports, new Map(open.map(([port, address]) => [port, portOf(String(address))])));
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      t.match(at(made.container, probe, 'httpGet', 'path'), /^\/(livez|readyz)$/);
      t.equal(at(made.container, probe, 'httpGet', 'port'), 'admin');
    }
    for (const service of made.of('Service')) {
      t.match(labels, at(service, 'spec', 'selector'));
      for (const port of listOf(at(service, 'spec', 'ports')))
        t.ok(ports.has(String(field(port, 'targetPort'))), String(field(port, 'targetPort')));
    }
    t.end();
  });

  test(`${name}: a pod has the time to stop that the settings take, and readiness is probed sooner`, (t) => {
    const { shutdownDelayMs, shutdownGraceMs } = made.config;
    const seconds = Number(made.pod['terminationGracePeriodSeconds']);
    const preStop = Number(at(made.container, 'lifecycle', 'preStop', 'sleep', 'seconds') ?? 0);
    t.ok(seconds * 1000 >= shutdownDelayMs + shutdownGraceMs + preStop * 1000 + 5_000);
    t.ok(Number(at(made.container, 'startupProbe', 'failureThreshold')) >= 60);
    t.end();
  });

  test(`${name}: volumes have room for what the settings let them hold`, async (t) => {
    const { config } = made;
    const gib = 1024 ** 3;
    const sizes = new Map(
      listOf(made.pod['volumes']).map((volume) => [
        String(field(volume, 'name')),
        Number.parseInt(String(at(volume, 'emptyDir', 'sizeLimit')), 10) * gib,
      ]),
    );
    const disk = 's3' in config.store ? config.store.disk : undefined;
    const isApart = made.mounts.includes(config.spool.path);
    if (isApart) t.ok((sizes.get('spool') ?? 0) > config.spool.maxBytes);
    if (disk !== undefined)
      t.ok((sizes.get('disk') ?? 0) > disk.maxBytes + (isApart ? 0 : config.spool.maxBytes));
    const limit = at(made.container, 'resources', 'limits', 'ephemeral-storage');
    if (limit !== undefined)
      t.ok(Number.parseInt(String(limit), 10) * gib > (sizes.get('spool') ?? sizes.get('disk') ?? 0));
  });

  test(`${name}: the network lets in the ports that are listened on, and no others`, (t) => {
    const { ports, letIn, labels } = made;
    t.same(at(made.the('NetworkPolicy'), 'spec', 'policyTypes'), ['Ingress', 'Egress']);
    t.match(labels, at(made.the('NetworkPolicy'), 'spec', 'podSelector', 'matchLabels'));
    t.same(new Set(letIn.keys()), new Set(ports.values()));
    const fleet = ports.get('fleet');
    if (fleet !== undefined)
      t.match(labels, at(letIn.get(fleet), 0, 'podSelector', 'matchLabels'), 'members and nobody else');
    t.end();
  });

  test(`${name}: the network lets out to DNS and to what the settings name, and nowhere else`, (t) => {
    const { config, letOut } = made;
    const cluster = Object.values(config.clusters).length > 0 ? [443, 6443] : [];
    const fleet = config.fleet === undefined ? [] : [portOf(config.fleet.listen)];
    t.same(letOut, new Set([5353, 443, ...cluster, ...fleet]));
    t.end();
  });

  test(`${name}: metrics are reached by Prometheus, through a Service of their own`, (t) => {
    const { config, letIn } = made;
    const admin = portOf(String(config.admin.listen));
    const service = made.the('Service', '-admin');
    const monitor = made.the('ServiceMonitor');
    t.match(at(service, 'metadata', 'labels'), at(monitor, 'spec', 'selector', 'matchLabels'));
    t.equal(at(monitor, 'spec', 'endpoints', 0, 'port'), at(service, 'spec', 'ports', 0, 'name'));
    t.equal(at(service, 'spec', 'ports', 0, 'port'), admin);
    t.match(JSON.stringify(letIn.get(admin)), /monitoring/);
    t.end();
  });

  test(`${name}: the pods have a token of the cluster only where the settings ask the cluster`, (t) => {
    const { config, pod } = made;
    t.equal(pod['automountServiceAccountToken'], Object.keys(config.clusters).length > 0);
    t.equal(pod['serviceAccountName'], at(made.the('ServiceAccount'), 'metadata', 'name'));
    const subjects = [...made.of('ClusterRoleBinding'), ...made.of('RoleBinding')].flatMap((binding) =>
      listOf(binding['subjects']),
    );
    for (const subject of subjects)
      t.match(subject, { name: pod['serviceAccountName'], namespace: made.one.namespace });
    t.end();
  });

  test(`${name}: the pod passes Pod Security "restricted"`, (t) => {
    t.match(made.pod['securityContext'], {
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const container of [...listOf(made.pod['containers']), ...listOf(made.pod['initContainers'])])
      t.match(field(container, 'securityContext'), {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    t.end();
  });
}

test('what pulls reach scales from 3 to 8 at 70 % of its requests, and keeps all but one in a drain', async (t) => {
  for (const name of ['cache', 'qci-appci', 'all-in-one']) {
    const made = theCase(name);
    const { spec } = made.the('HorizontalPodAutoscaler') as { spec: Record<string, unknown> };
    t.match(spec, { minReplicas: 3, maxReplicas: 8 }, name);
    const own = at(spec, 'metrics', 0, 'containerResource');
    t.match(own, { container: 'quayside', name: 'cpu', target: { averageUtilization: 70 } });
    t.equal(at(made.the('Deployment'), 'spec', 'replicas'), undefined, 'the autoscaler decides');
    t.type(at(made.container, 'resources', 'requests', 'cpu'), 'string');
    t.equal(at(made.the('PodDisruptionBudget'), 'spec', 'maxUnavailable'), 1);
  }
  const mirror = theCase('ci-images-mirror').the('Deployment');
  t.match(mirror, { spec: { replicas: 1, strategy: { type: 'Recreate' } } }, 'its volume is for one pod');
});

test('members of a fleet find each other by a headless Service, also before they are ready', async (t) => {
  for (const name of ['cache', 'all-in-one']) {
    const made = theCase(name);
    const service = made.the('Service', '-fleet');
    const { namespace } = made.one;
    t.match(service, { spec: { clusterIP: 'None', publishNotReadyAddresses: true } });
    const port = made.ports.get('fleet');
    t.equal(made.config.fleet?.dns, `${at(service, 'metadata', 'name')}.${namespace}.svc:${port}`);
  }
  t.same(theCase('qci-appci').config.fleet, undefined);
});

test('Routes lead to what the settings serve under their names', async (t) => {
  for (const name of ['cache', 'qci-appci', 'all-in-one']) {
    const made = theCase(name);
    const { config } = made;
    const hosts = made.of('Route').map((route) => String(at(route, 'spec', 'host')));
    const named = Object.keys(config.hosts).filter((host) => host !== '*');
    t.same(new Set(hosts), new Set(named.length > 0 ? named : [new URL(config.publicUrl ?? '').host]));
    for (const route of made.of('Route')) {
      t.equal(at(route, 'spec', 'tls', 'termination'), config.tls === undefined ? 'edge' : 'passthrough');
      t.equal(at(route, 'spec', 'port', 'targetPort'), 'pull');
    }
  }
  t.same(theCase('ci-images-mirror').of('Route'), []);
});

/** The settings that the command line of a predecessor means. */
async function printed(run: (start: Start) => Run, args: readonly string[]): Promise<Config> {
  const io = recordedIo();
  const never = () => Promise.reject(new Error('started'));
  const code = await run(never)([...args, '--print-config'], io);
  if (code !== 0) throw new Error(io.err());
  return load(io.out(), {});
}

test('qci-appci has the settings that its command line means, and a port for metrics', async (t) => {
  const { config } = theCase('qci-appci');
  const before = await printed(proxying, [
    '-listen-addr=0.0.0.0:8400',
    '-tls-cert-file=/var/run/serving-cert/tls.crt',
    '-tls-key-file=/var/run/serving-cert/tls.key',
    '-robot-username-file=/etc/qci-robot-credentials/username',
    '-robot-password-file=/etc/qci-robot-credentials/password',
    '-token-secret-file=/etc/qci-appci-credentials/token',
    '-exposed-host=quay-proxy.ci.openshift.org',
  ]);
  const spool = { ...before.spool, path: config.spool.path };
  t.same(config, { ...before, spool, admin: { listen: '0.0.0.0:8401' } });
});

test('ci-images-mirror has the settings that its command line means, with its queue on a volume', async (t) => {
  const made = theCase('ci-images-mirror');
  const { config } = made;
  const before = await printed(mirrorServing, [
    '--leader-election-namespace=ci',
    '--release-repo-git-sync-path=/var/repo/release',
    '--registry-config=/etc/push/.dockerconfigjson',
    '--config=/var/repo/release/core-services/image-mirroring/_config.yaml',
  ]);
  t.same(config, { ...before, store: config.store, spool: config.spool });
  t.same([config.mirror?.listen, config.admin.listen], ['0.0.0.0:8090', '0.0.0.0:8080']);
  const claim = listOf(made.pod['volumes']).find((volume) => field(volume, 'persistentVolumeClaim'));
  t.equal(
    at(claim, 'persistentVolumeClaim', 'claimName'),
    at(made.the('PersistentVolumeClaim'), 'metadata', 'name'),
  );
  t.match(config.store, { filesystem: { path: '/var/lib/quayside/store' } });
});

test('the mirror may read image streams and hold the Lease of its settings, and nothing else', async (t) => {
  const made = theCase('ci-images-mirror');
  t.same(
    made.of('ClusterRole').map((role) => role['rules']),
    [
      [
        { apiGroups: ['image.openshift.io'], resources: ['imagestreams'], verbs: ['get', 'list'] },
        { apiGroups: ['image.openshift.io'], resources: ['imagestreamtags'], verbs: ['get'] },
      ],
    ],
  );
  const role = made.the('Role');
  const { namespace, name } = made.config.mirror?.lease ?? {};
  t.equal(at(role, 'metadata', 'namespace'), namespace);
  t.same(role['rules'], [
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: [name],
      verbs: ['get', 'update'],
    },
  ]);
});

test('hosts with logins of the cluster may send reviews, and only those', async (t) => {
  const reviewers = (name: string) =>
    theCase(name)
      .of('ClusterRoleBinding')
      .filter((binding) => at(binding, 'roleRef', 'name') === 'system:auth-delegator').length;
  t.same(
    cases.map(({ name }) => [name, reviewers(name)]),
    [
      ['cache', 0],
      ['qci-appci', 1],
      ['ci-images-mirror', 0],
      ['all-in-one', 1],
    ],
  );
});

test('conditions may write Events and their own ConfigMap, in the namespace of the pods', async (t) => {
  const made = theCase('cache');
  const { namespace, configMap } = made.config.conditions;
  t.equal(namespace, made.one.namespace);
  t.same(made.the('Role')['rules'], [
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create'] },
    { apiGroups: [''], resources: ['configmaps'], resourceNames: [configMap], verbs: ['get', 'update'] },
  ]);
  t.ok(made.of('ConfigMap').some((map) => at(map, 'metadata', 'name') === configMap));
});

test('all in one joins its parts: who pulls what, from where a miss comes, and who copies', async (t) => {
  const { upstreams, hosts, clusters, store, mirror } = theCase('all-in-one').config;
  const alone = theCase('ci-images-mirror').config.mirror;
  t.same(mirror?.lease, alone?.lease, 'never beside the mirror that it may replace');
  t.equal(mirror?.listen, alone?.listen);
  t.ok(clusters[mirror?.imageStreams?.cluster ?? '']);
  const { 'registry.ci.openshift.org': source } = upstreams;
  t.same(source?.repositories, [], 'for misses only, not for clients that name it');
  t.same(upstreams['quay.io']?.repositories, ['openshift/ci']);
  t.same(Object.keys(hosts), ['qci-cache.ci.openshift.org', 'quay-proxy.ci.openshift.org']);
  for (const [name, host] of Object.entries(hosts)) {
    t.not(host.auth, 'none', name);
    t.equal(host.upstream, 'quay.io', name);
  }
  t.ok('s3' in store, 'replicas share what they know, and the queue');
  t.ok(mirror?.misses.imageStreams?.test('ocp/4.20:cli'));
  t.notOk(mirror?.misses.imageStreams?.test('ocp-priv/4.20-priv:cli'));
});

test('names in the values are those that a reader finds in the output', async (t) => {
  for (const one of cases) {
    const values = await mergedValues(one);
    const text = JSON.stringify(theCase(one.name).all);
    for (const mount of Object.values(parse(JSON.stringify(values['mounts'])) as object))
      t.ok(text.includes(String(field(mount, 'secret') ?? field(mount, 'configMap'))), one.name);
  }
});
