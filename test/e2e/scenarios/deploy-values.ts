import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { listOf } from '../../../src/base/text/json.ts';
import { allCases, kustomization } from '../../deploy/cases.ts';
import { at, Rendered } from '../../deploy/rendered.ts';
import { renderedCase } from '../fixtures/chart.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** What the chart makes of values other than those of its cases. */
export const deployValues: Scenario = {
  name: 'deploy-values',
  needs: ['helm'],
  async play(scene) {
    await refusals(scene);
    await outputs(scene);
  },
};

/** The objects of a case with values over it. */
async function made(scene: Scene, name: string, ...sets: readonly string[]): Promise<Rendered> {
  const folder = await renderedCase(scene, name, sets);
  const files = (await readdir(folder)).filter((file) => file !== kustomization);
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  // A key that stands twice in a map is an error here, as for a strict API server.
  const documents = texts.flatMap((text) => [...parseAllDocuments(text)]);
  for (const { errors } of documents) assert.deepEqual(errors, []);
  const one = allCases.find((each) => each.name === name);
  assert.ok(one);
  return new Rendered(
    one,
    documents.map((document) => document.toJS()),
  );
}

const noKey = 'settings.store.s3.accessKeyIdFile=null';
const noSecret = 'settings.store.s3.secretAccessKeyFile=null';

async function refusals(scene: Scene): Promise<void> {
  for (const [what, name, sets, said] of [
    ['a claim with several replicas', 'ci-images-mirror', ['replicas=2'], /a claim is for one pod/],
    [
      'a claim as a volume with several replicas',
      'cache',
      ['volumes.disk.persistentVolumeClaim.claimName=x'],
      /a claim is for one pod/,
    ],
    [
      'a mirror that each replica would run',
      'qci-appci',
      ['settings.mirror.images=2'],
      /or each of them copies/,
    ],
    ['a disk below copies and spool', 'cache', ['volumes.disk.emptyDir.sizeLimit=75Gi'], /volumes.disk/],
    ['a Route without a host', 'all-in-one', ['settings.hosts=null'], /route.hosts must name a host/],
    ['a Route to loopback', 'ci-images-mirror', ['route.enabled=true'], /others reach/],
    ['an Ingress to loopback', 'ci-images-mirror', ['ingress.enabled=true'], /others reach/],
    ['a router that speaks HTTP to TLS', 'qci-appci', ['route.termination=edge'], /settings.tls/],
    ['a Route that passes on TLS where none is', 'cache', ['route.termination=passthrough'], /settings.tls/],
    ['no account', 'cache', ['serviceAccount.create=false'], /existing account/],
    [
      'a label that selects the pods',
      'cache',
      ['podLabels.app\\.kubernetes\\.io/name=x'],
      /it selects the pods/,
    ],
    [
      'one ConfigMap for settings and conditions',
      'cache',
      ['settings.conditions.configMap=quayside'],
      /must differ/,
    ],
    ['a pruner without an aim', 'prune', ['prune.targets=null'], /prune.targets/],
    ['a pruner of images without a time', 'image-pruner', ['prune.schedule='], /prune.schedule/],
    ['a container by podSpec', 'cache', ['podSpec.containers[0].name=x'], /podSpec.containers/],
    ['ports of a Service by its spec', 'cache', ['service.spec.ports[0].port=1'], /service.port/],
    ['a token of Quay that no mount holds', 'prune', ['prune.tokenFile=/x/token'], /no entry of mounts/],
  ] as const)
    await scene.fact(`the chart refuses ${what}, and says what to change`, () =>
      assert.rejects(renderedCase(scene, name, sets), said),
    );
}

async function outputs(scene: Scene): Promise<void> {
  const { fact } = scene;
  await fact('a volume of another kind takes the place of the emptyDir of the defaults', async () => {
    const claim = 'volumes.disk.ephemeral.volumeClaimTemplate.spec.resources.requests.storage=200Gi';
    const { pod } = await made(scene, 'cache', claim);
    const disk = listOf(pod['volumes']).find((volume) => at(volume, 'name') === 'disk');
    assert.deepEqual(new Set(Object.keys(disk as object)), new Set(['ephemeral', 'name']));
  });
  await fact(
    'volumes of any kind, and more of the specs of pod and Service, are as they are given',
    async () => {
      const cache = await made(
        scene,
        'cache',
        'mounts.vault.volume.csi.driver=secrets-store.csi.k8s.io',
        'podSpec.runtimeClassName=gvisor',
        'service.spec.externalTrafficPolicy=Local',
      );
      assert.ok(cache.mounts.includes('/etc/quayside/vault'));
      const vault = listOf(cache.pod['volumes']).find((volume) => at(volume, 'name') === 'vault');
      assert.equal(at(vault, 'csi', 'driver'), 'secrets-store.csi.k8s.io');
      assert.equal(cache.pod['runtimeClassName'], 'gvisor');
      assert.equal(at(cache.of('Service')[0], 'spec', 'externalTrafficPolicy'), 'Local');
    },
  );
  await fact('a pruner of the images of repositories gets no rights of the cluster', async () => {
    const own = await made(scene, 'image-pruner', 'prune.targets[0]=quay.io/team/app', 'prune.args=null');
    assert.deepEqual(own.of('ClusterRole'), []);
    assert.equal(own.pod['automountServiceAccountToken'], false);
    assert.ok(listOf(own.container['args']).includes('--repository=quay.io/team/app'));
  });
  await fact('of two bounds of a disruption, and of a strategy, one is in the output', async () => {
    const cache = await made(scene, 'cache', 'disruption.minAvailable=2', 'strategy.type=Recreate');
    assert.equal(at(cache.the('PodDisruptionBudget'), 'spec', 'minAvailable'), 2);
    assert.equal(at(cache.the('PodDisruptionBudget'), 'spec', 'maxUnavailable'), undefined);
    assert.deepEqual(at(cache.the('Deployment'), 'spec', 'strategy'), { type: 'Recreate' });
  });
  await fact('a release beside another one in another namespace shares no name with it', async () => {
    const lease = ['settings.mirror.lease.cluster=here', 'settings.mirror.lease.namespace=shared'];
    const one = await made(scene, 'cache', ...lease, 'nameOverride=mirror');
    const names = one.all
      .filter((object) => at(object, 'metadata', 'namespace') === 'shared')
      .map((object) => at(object, 'metadata', 'name'));
    assert.deepEqual(names, ['quayside-mirror-lease', 'quayside-mirror-lease']);
  });
  await fact('members by EndpointSlices get the right to follow them, and no DNS name', async () => {
    const slices = ['cluster=here', 'namespace=quayside', 'service=quayside-fleet'];
    const cache = await made(scene, 'cache', ...slices.map((set) => `settings.fleet.endpointSlices.${set}`));
    assert.equal(cache.config.fleet?.dns, undefined);
    assert.deepEqual(cache.the('Role', '-fleet')['rules'], [
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ]);
  });
  await fact('the port of the fleet is that of its listen address', async () => {
    const cache = await made(scene, 'cache', 'settings.fleet.listen=0.0.0.0:9402');
    assert.match(String(cache.config.fleet?.dns), /:9402$/);
    assert.equal(cache.ports.get('fleet'), 9402);
  });
  await fact('the network lets out to all that the settings name', async () => {
    const there = 'settings.clusters.there.kubeconfigFile=/etc/quayside/s3/kubeconfig';
    const hosts = 'settings.upstreams.quay\\.io.realmHosts={auth.example.com:8444}';
    const { letOut } = await made(scene, 'cache', 'settings.conditions=null', there, hosts);
    for (const port of [6443, 8444]) assert.ok(letOut.has(port), String(port));
    const ssh = await made(scene, 'all-in-one', 'gitSync.repo=git@github.com:openshift/release');
    assert.ok(ssh.letOut.has(22));
    const keyless = await made(scene, 'cache', noKey, noSecret);
    assert.ok(keyless.letOut.has(80));
    const helped = await made(scene, 'cache', 'settings.credentialHelpers.directories={/opt/helpers}');
    assert.ok(helped.letOut.has(80));
  });
  await fact('the ConfigMap of conditions is there where others make the rights', async () => {
    const maps = (await made(scene, 'cache', 'rbac.create=false')).of('ConfigMap');
    assert.deepEqual(maps.map((map) => at(map, 'metadata', 'name')).toSorted(), [
      'quayside',
      'quayside-status',
    ]);
  });
  await fact('every switch of the values can be turned', async () => {
    for (const [name, sets] of [
      [
        'cache',
        ['fleet.enabled=false', 'autoscaling.enabled=false', 'replicas=1', 'monitoring.enabled=false'],
      ],
      ['cache', ['networkPolicy.enabled=false', 'route.enabled=false', 'ingress.enabled=true']],
      [
        'cache',
        ['settings.hosts=null', 'mounts.robots=null', 'settings.upstreams.quay\\.io.credentials=null'],
      ],
      [
        'cache',
        ['autoscaling.enabled=false', 'replicas=2', 'preStopSeconds=5', 'imagePullSecrets[0].name=x'],
      ],
      ['all-in-one', ['settings.mirror=null', 'gitSync.enabled=false', 'rbac.create=false']],
      ['ci-images-mirror', ['claim=null', 'priorityClassName=x', 'nodeSelector.a=b', 'podLabels.a=b']],
      ['prune', ['networkPolicy.enabled=false', 'monitoring.enabled=false', 'prune.confirm=false']],
    ] as const)
      assert.ok((await made(scene, name, ...sets)).all.length >= 3, `${name} ${sets.join(' ')}`);
  });
}
