import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { defined } from '../../../src/base/text/defined.ts';
import { type Fields, fieldsOf } from '../../../src/base/text/json.ts';
import { allCases, cases, chart, kustomization, deploy as manifests, output } from '../../deploy/cases.ts';
import { at } from '../../deploy/rendered.ts';
import { renderedCase } from '../fixtures/chart.ts';
import { type KubeApiserver, kubeApiserver } from '../fixtures/kube-apiserver.ts';
import type { Scenario, Scene } from '../scenario.ts';

const crds = join(import.meta.dirname, '../crds');

/** The chart and its output, before Helm and a real API server. */
export const deploy: Scenario = {
  name: 'deploy',
  needs: ['helm', 'kubernetes'],
  async play(scene) {
    await helm(scene);
    await changes(scene);
    const server = await kubeApiserver(scene, 'cluster');
    await applied(scene, server);
    await rights(scene, server);
  },
};

async function helm({ stage, path, fact, ...scene }: Scene): Promise<void> {
  for (const { name, values } of allCases)
    await fact(`helm lint has nothing to say about ${name}`, async () => {
      const files = values.flatMap((file) => ['--values', file]);
      await stage.run(path('helm'), ['lint', '--strict', chart, ...files]);
    });
  for (const { name } of allCases)
    await fact(`deploy/kubernetes/${name} is what Helm makes of the chart`, async () => {
      const folder = await renderedCase({ stage, path, fact, ...scene }, name);
      const files = await readdir(folder);
      assert.deepEqual(files.toSorted(), (await readdir(join(output, name))).toSorted());
      for (const file of files)
        assert.equal(
          await readFile(join(folder, file), 'utf8'),
          await readFile(join(output, name, file), 'utf8'),
          file,
        );
    });
  for (const [what, name, set, said] of [
    ['an unknown setting', 'cache', 'settings.upstream=x', /additional properties 'upstream' not allowed/],
    ['a file that no mount holds', 'cache', 'settings.admin.tokenFile=/etc/x/token', /no entry of mounts/],
    [
      'a volume below the spool',
      'all-in-one',
      'volumes.spool.emptyDir.sizeLimit=39Gi',
      /must be above 40GiB/,
    ],
    ['a pod without the time to stop', 'cache', 'terminationGracePeriodSeconds=60', /need 135/],
    ['a fleet without a bucket', 'qci-appci', 'fleet.enabled=true', /share a bucket/],
  ] as const)
    await fact(`the chart refuses ${what}, and says what to change`, () =>
      assert.rejects(renderedCase({ stage, path, fact, ...scene }, name, [set]), said),
    );
}

async function objectsIn(folder: string): Promise<readonly Fields[]> {
  const files = (await readdir(folder)).filter((file) => file !== kustomization);
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return texts.flatMap((text) => [...parseAllDocuments(text)].map((each) => fieldsOf(each.toJS())));
}

async function deploymentOf(folder: string): Promise<Fields> {
  const [found] = (await objectsIn(folder)).filter(({ kind }) => kind === 'Deployment');
  if (found === undefined) throw new Error(`no Deployment in ${folder}`);
  return found;
}

async function changes(scene: Scene): Promise<void> {
  const pod = async (...sets: readonly string[]) =>
    at(await deploymentOf(await renderedCase(scene, 'cache', sets)), 'spec', 'template');
  await scene.fact(
    'a setting that a running server takes over changes no pod, and any other does',
    async () => {
      const before = await pod();
      for (const set of [
        'settings.upstreams.quay\\.io.maxRedirects=7',
        'settings.limits.read.maxRunning=7',
        'settings.hosts.other\\.example\\.com.auth=none',
        'settings.tags.freshMs=1m',
      ])
        assert.deepEqual(await pod(set), before, set);
      for (const set of ['settings.memory.maxBytes=1GiB', 'settings.store.s3.region=eu-west-1'])
        assert.notDeepEqual(await pod(set), before, set);
    },
  );
}

async function applied({ fact, stage }: Scene, server: KubeApiserver): Promise<void> {
  const apply = (...words: readonly string[]) =>
    server.kubectl(['apply', '--server-side', '--validate=strict', ...words]);
  await apply('--filename', crds);
  await server.kubectl(['wait', '--for=condition=Established', '--timeout=60s', '--filename', crds]);
  for (const namespace of new Set(cases.map((one) => one.namespace))) {
    await server.kubectl(['create', 'namespace', namespace]);
    await server.kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
  }
  for (const { name } of allCases)
    await fact(`every object of ${name} is accepted by a real API server`, async () => {
      const { stdout } = await apply('--kustomize', join(output, name));
      assert.equal(stdout.trim().split('\n').length, (await objectsIn(join(output, name))).length);
    });
  await fact('the mirror sets and the login of nodes are accepted as well', async () => {
    await apply('--kustomize', join(manifests, 'openshift'));
    await apply('--filename', join(manifests, 'openshift/credential-provider.yaml'));
  });
  for (const { name, namespace } of cases)
    await fact(`a pod of ${name} is admitted under Pod Security "restricted"`, async () => {
      const template = fieldsOf(at(await deploymentOf(join(output, name)), 'spec', 'template'));
      const { metadata, spec } = template;
      const file = join(stage.directory, `${name}-pod.json`);
      const named = { ...fieldsOf(metadata), name: `${name}-pod`, namespace };
      await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: named, spec }));
      await server.kubectl(['create', '--dry-run=server', '--filename', file]);
    });
}

/** Verb, group, resource, and where it matters name and namespace. */
type Question = readonly [verb: string, group: string, resource: string, name?: string, namespace?: string];

const readsStreams: Question = ['list', 'image.openshift.io', 'imagestreams'];

/** What each account may do; all that another one may, it may not. */
const mayDo: Readonly<Record<string, readonly Question[]>> = {
  'ci:qci-appci': [
    ['create', 'authentication.k8s.io', 'tokenreviews'],
    ['create', 'authorization.k8s.io', 'subjectaccessreviews'],
  ],
  'ci:ci-images-mirror': [
    readsStreams,
    ['get', 'image.openshift.io', 'imagestreamtags'],
    ['create', 'coordination.k8s.io', 'leases', '', 'ci'],
    ['update', 'coordination.k8s.io', 'leases', 'ci-image-mirror', 'ci'],
  ],
  'quayside:quayside': [
    ['create', 'events.k8s.io', 'events', '', 'quayside'],
    ['update', '', 'configmaps', 'quayside-status', 'quayside'],
  ],
  'quayside:quayside-image-pruner': [
    readsStreams,
    ['list', '', 'pods'],
    ['delete', 'image.openshift.io', 'images'],
  ],
};

const never: readonly Question[] = [
  ['get', '', 'secrets', '', 'ci'],
  ['get', '', 'secrets', '', 'quayside'],
  ['watch', 'image.openshift.io', 'imagestreams'],
  ['update', 'coordination.k8s.io', 'leases', 'another', 'ci'],
];

async function rights({ fact, stage }: Scene, { kubectl }: KubeApiserver): Promise<void> {
  async function may(account: string, [verb, group, resource, name, namespace]: Question): Promise<boolean> {
    const file = join(stage.directory, 'review.json');
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: `system:serviceaccount:${account}`,
        groups: ['system:serviceaccounts', 'system:authenticated'],
        resourceAttributes: { verb, group, resource, ...defined({ name, namespace }) },
      },
    };
    await writeFile(file, JSON.stringify(review));
    const words = ['create', '--output=jsonpath={.status.allowed}', '--filename', file];
    return (await kubectl(words)).stdout === 'true';
  }
  await fact('each account has the rights that its settings need, and no other', async () => {
    const all = [...Object.values(mayDo).flat(), ...never];
    for (const [account, own] of Object.entries(mayDo))
      for (const question of all)
        assert.equal(
          await may(account, question),
          own.includes(question),
          `${account}: ${question.join(' ')}`,
        );
  });
}
