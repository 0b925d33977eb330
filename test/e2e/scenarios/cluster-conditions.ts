import assert from 'node:assert/strict';
import { createSliceList } from '../../../src/app/replicas/endpoint-slices.ts';
import { createKubernetesClient } from '../../../src/kubernetes/client.ts';
import { loadKubeconfig } from '../../../src/kubernetes/kubeconfig.ts';
import { until } from '../../support/program.ts';
import { s3Double } from '../../support/s3-double.ts';
import { type Cluster, cluster, clusterName, ourself } from '../fixtures/cluster.ts';
import { command, quayside } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';

const namespace = '--namespace=quayside';

interface EventItem {
  readonly reason: string;
  readonly type: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string };
}

/** Conditions as a real API server keeps them, with the rights of `deploy/rbac` alone. */
export const clusterConditions: Scenario = {
  name: 'cluster-conditions',
  needs: ['kubernetes'],
  async play(scene) {
    const { stage, fact } = scene;
    const judge = await cluster(scene);
    const s3 = await s3Double();
    stage.defer(() => s3.close());
    s3.bucket.exists = false;
    const proxy = await quayside(stage, {
      upstream: s3.endpoint,
      store: { s3: { bucket: 'quayside', endpoint: s3.endpoint, pathStyle: true } },
      env: { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', POD_NAME: 'quayside-0' },
      config: {
        clusters: { [clusterName]: { kubeconfigFile: judge.ourKubeconfig } },
        conditions: { cluster: clusterName, namespace: 'quayside', configMap: 'quayside-status' },
      },
    });
    const status = (...words: readonly string[]) =>
      stage.run(process.execPath, [command, 'status', '--admin', proxy.admin, ...words], { mayFail: true });
    const kept = async (key: string) => {
      const path = `--output=jsonpath={.data.${key}}`;
      return (await judge.kubectl(['get', 'configmap', 'quayside-status', namespace, path])).stdout;
    };
    const events = async (): Promise<readonly EventItem[]> => {
      const { stdout } = await judge.kubectl(['get', 'events', namespace, '--output=json']);
      return (JSON.parse(stdout) as { items: EventItem[] }).items;
    };

    await fact('a missing bucket is an Event about the pod, and False in the ConfigMap', async () => {
      await until('Available', async () => (await kept('Available')) === 'False', 20_000);
      const wanted = (await events()).find(({ message }) => message.startsWith('Available is False'));
      assert.deepEqual(
        [wanted?.reason, wanted?.type, wanted?.involvedObject.kind],
        ['NoSuchBucket', 'Warning', 'Pod'],
      );
    });
    await fact('quayside status says the same and exits with 1', async () => {
      const { code, stdout } = await status();
      assert.equal(code, 1);
      assert.match(stdout, /^Available +False .*NoSuchBucket: StorageExists: bucket quayside at /);
    });
    await fact('the banner and the first line of the log name the bucket and the code', async () => {
      const output = await proxy.output();
      assert.match(output, /NOT AVAILABLE: bucket quayside at .*NoSuchBucket/);
      const first = output.split('\n').find((line) => line.startsWith('{')) ?? '';
      assert.match(first, /"code":"NoSuchBucket","message":"bucket quayside at /);
    });
    await fact('once the bucket is there, so is the service, and that is an Event too', async () => {
      s3.bucket.exists = true;
      await until('Available', async () => (await kept('Available')) === 'True', 30_000);
      assert.ok(
        (await events()).some(({ type, message }) => type === 'Normal' && /^Available is True/.test(message)),
      );
      assert.equal((await status('--json')).code, 0);
    });
    await fact('a restart is no blip: neither an Event nor another time', async () => {
      const told = async () => JSON.parse((await status('--json')).stdout || '{}') as Partial<Report>;
      const isLooked = async () =>
        (await told()).parts?.some(
          ({ type, status: is }) => type === 'StorageConditionalWrites' && is === 'True',
        ) === true;
      await until('all of the bucket is looked at', isLooked, 20_000);
      const before = (await told()).conditions;
      await proxy.stop();
      const known = (await events()).length;
      await proxy.start();
      await until('it has looked again', isLooked, 20_000);
      assert.deepEqual((await told()).conditions, before);
      assert.deepEqual([await kept('Available'), (await events()).length], ['True', known]);
    });
    await fact('it has the right to this ConfigMap alone, and to create Events', async () => {
      const may = async (...words: readonly string[]) =>
        (
          await judge.kubectl(['auth', 'can-i', ...words, namespace, `--as=${ourself}`], { mayFail: true })
        ).stdout.trim();
      assert.equal(await may('update', 'configmaps/quayside-status'), 'yes');
      assert.equal(await may('create', 'events.events.k8s.io'), 'yes');
      for (const words of [
        ['get', 'configmaps/quayside'],
        ['create', 'configmaps'],
        ['list', 'configmaps'],
        ['get', 'secrets'],
      ])
        assert.equal(await may(...words), 'no', words.join(' '));
    });
    await slices(scene, judge);
  },
};

/** EndpointSlices as a real API server has them; there are no controllers to make them. */
async function slices({ fact, stage }: Scene, judge: Cluster): Promise<void> {
  const slice = (name: string, addresses: readonly string[], conditions = {}) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'quayside', labels: { 'kubernetes.io/service-name': 'quayside-fleet' } },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: 8400 },
      { name: 'members', port: 8402 },
    ],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions })),
  });
  const rights = ['create', 'role', 'fleet', '--verb=list,watch'];
  await judge.kubectl([...rights, '--resource=endpointslices.discovery.k8s.io', namespace]);
  const subject = '--serviceaccount=quayside:quayside';
  await judge.kubectl(['create', 'rolebinding', 'fleet', '--role=fleet', subject, namespace]);
  const kubeconfig = await loadKubeconfig({ kubeconfigFile: judge.ourKubeconfig });
  const failures: unknown[] = [];
  const list = createSliceList({
    ...{ client: createKubernetesClient({ kubeconfig }), namespace: 'quayside', service: 'quayside-fleet' },
    ...{ port: 'members', failed: (error: unknown) => void failures.push(error) },
  });
  stage.defer(async () => list.close());
  let members: readonly string[] = [];
  const are = (...wanted: readonly string[]) =>
    until(`${wanted}`, () => members.toSorted().join() === wanted.join());
  await fact('the members of a fleet are what EndpointSlices say, at once as these change', async () => {
    await judge.apply('slices.json', [slice('fleet-a', ['10.1.0.1', '10.1.0.2'])]);
    list.follow((listed) => {
      members = listed;
    });
    await are('10.1.0.1:8402', '10.1.0.2:8402');
    await judge.apply('slices.json', [slice('fleet-b', ['10.1.0.3'], { ready: false })]);
    await are('10.1.0.1:8402', '10.1.0.2:8402', '10.1.0.3:8402');
    await judge.apply('slices.json', [slice('fleet-b', ['10.1.0.3'], { terminating: true })]);
    await judge.kubectl(['delete', 'endpointslice', 'fleet-a', namespace]);
    await are();
    assert.deepEqual(failures, [], 'with the rights that the documents name');
  });
}

interface Report {
  readonly conditions: readonly object[];
  readonly parts: readonly { readonly type: string; readonly status: string }[];
}
