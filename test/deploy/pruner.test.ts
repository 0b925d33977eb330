import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { type Document, parse, parseAllDocuments } from 'yaml';
import { parsePruneImagesFlags, parsePruneTagsFlags } from '../../src/cli/prune/options.ts';
import type { Config } from '../../src/config/config.ts';
import { load } from '../../src/config/load.ts';
import { cases, deploy } from './cases.ts';
import { filesIn, portOf, Rendered } from './rendered.ts';

/** The objects of a manifest. */
async function objects(path: string): Promise<Document[]> {
  return [...parseAllDocuments(await readFile(join(deploy, path), 'utf8'))];
}

async function object(path: string): Promise<Document> {
  const [document] = await objects(path);
  if (document === undefined) throw new Error(`${path} holds no object`);
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

async function cacheSettings(): Promise<Config> {
  const [cache] = cases;
  if (cache === undefined) throw new Error('no case');
  return (await Rendered.of(cache)).config;
}

/** What the container there is started with. */
function argumentsAt(document: Document, path: readonly (string | number)[]): readonly string[] {
  const args: unknown = parse(String(document.getIn([...path, 'args'])));
  return Array.isArray(args) ? args.map(String) : [];
}

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
  const served = await cacheSettings();
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
  t.same(each(service, [...container, 'ports'], 'containerPort').map(Number), [portOf(String(metrics))]);
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

test('the pruner of the integrated registry finds its files, and has the account with its rights', async (t) => {
  const [nightly, config] = await objects('openshift/image-pruner/cronjob.yaml');
  if (nightly === undefined) throw new Error('no CronJob');
  const spec = ['spec', 'jobTemplate', ...pod];
  const own = [...spec, 'containers', 0];
  const wish = parsePruneImagesFlags(argumentsAt(nightly, own).slice(2));
  if (!('integrated' in wish)) throw new Error('it is for repositories');
  const { integrated } = wish;
  t.match(integrated, { confirm: true, keepTagRevisions: 3, keepYoungerThanMs: 96 * 3_600_000 });
  const { store } = load(String(config?.getIn(['data', 'quayside.yaml'])), {});
  const mounts = each(nightly, [...own, 'volumeMounts'], 'mountPath');
  const path = 'filesystem' in store ? store.filesystem.path : '';
  for (const file of [String(integrated.config), String(integrated.certificateAuthority), path])
    t.ok(
      mounts.some((mount) => file === mount || file.startsWith(`${mount}/`)),
      file,
    );
  const [account, , binding] = await objects('openshift/image-pruner/rbac.yaml');
  t.equal(nightly.getIn([...spec, 'serviceAccountName']), account?.getIn(['metadata', 'name']));
  t.equal(binding?.getIn(['subjects', 0, 'name']), account?.getIn(['metadata', 'name']));
});
