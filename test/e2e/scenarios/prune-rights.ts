import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { freePort, type Program, until } from '../../support/program.ts';
import { registryDouble } from '../../support/registry-double.ts';
import type { StreamCluster } from '../fixtures/image-streams.ts';
import { command } from '../fixtures/quayside.ts';
import type { Scene } from '../scenario.ts';

const folder = join(import.meta.dirname, '../../../deploy/kubernetes/prune');
const repository = 'openshift/ci';
const [named, free, later] = ['20250101', '20250102', '20250103'].map(
  (day) => `${day}000000_prune_ocp_4.20_cli`,
) as [string, string, string];
const leaseName = 'quayside-mirror-prune';
const soonMs = 30_000;

/** `quayside prune tags --every` by the manifests of `deploy/kubernetes/prune`. */
export async function rightsFacts(scene: Scene, cluster: StreamCluster): Promise<void> {
  const { stage, fact } = scene;
  const qci = await registryDouble();
  stage.defer(() => qci.close());
  for (const file of ['account.yaml', 'rights.yaml'])
    await cluster.kubectl(['apply', '--filename', join(folder, file)]);
  const { digest } = qci.addImage(repository, named, { layers: [1] });
  qci.addImage(repository, free, { layers: [2] });
  await cluster.put('ci/pruned', { cli: digest }, `quayside.example.com/quay.io/${repository}`);
  const token = await cluster.boundToken('quayside:quayside-prune');
  const kubeconfig = await cluster.kubeconfig('quayside-prune', token, cluster.way);
  const config = await settingsFile(scene, qci.url, kubeconfig);
  const started = async (name: string): Promise<readonly [Program, string]> => {
    const port = await freePort();
    const words = ['prune', 'tags', '--config', config, '--confirm', '--ttl-days', '60', '--every', '1h'];
    const args = [command, ...words, '--metrics', `127.0.0.1:${port}`, `quay.io/${repository}`];
    const env = { REGISTRY_AUTH_FILE: join(stage.directory, 'no-logins.json') };
    return [await stage.start(process.execPath, args, { name, env }), `http://127.0.0.1:${port}/metrics`];
  };
  const holder = async (): Promise<string> => {
    const words = ['get', 'lease', leaseName, '--namespace', 'quayside', '--ignore-not-found'];
    return (await cluster.kubectl([...words, '--output=jsonpath={.spec.holderIdentity}'])).stdout;
  };
  const runs = async (url: string): Promise<number> => {
    const text = await fetch(url).then(
      (answer) => answer.text(),
      () => '',
    );
    return Number(/^quayside_prune_runs_total\{outcome="done"\} (\d+)/m.exec(text)?.[1] ?? 0);
  };

  await fact(
    'with the rights of its manifests the pruner deletes, and keeps what a stream names',
    async () => {
      const [first, metrics] = await started('pruner');
      await until('the first run ends', async () => (await runs(metrics)) === 1, soonMs);
      assert.equal(qci.tagOf(repository, free), undefined);
      assert.ok(qci.tagOf(repository, named));
      await first.stop();
    },
  );
  await fact('of two pruners one works, by a Lease that is free again afterwards', async () => {
    assert.equal(await holder(), '');
    qci.addImage(repository, later, { layers: [3] });
    const both = await Promise.all(['second', 'third'].map(started));
    const done = async () => (await Promise.all(both.map(([, url]) => runs(url)))).reduce((a, b) => a + b);
    await until('both had a run', async () => (await done()) === 2, soonMs);
    assert.equal(qci.tagOf(repository, later), undefined);
    const deletes = qci.requests.filter(({ method }) => method === 'DELETE');
    assert.equal(deletes.length, 2);
    await Promise.all(both.map(([program]) => program.stop()));
    assert.equal(await holder(), '');
  });
  await fact('its account may change nothing else', async () => {
    const may = async (...words: string[]) =>
      (await cluster.kubectl(['auth', 'can-i', ...words, ...subject], { mayFail: true })).stdout.trim();
    const subject = ['--as=system:serviceaccount:quayside:quayside-prune'];
    assert.equal(await may('list', 'imagestreams.image.openshift.io', '--all-namespaces'), 'yes');
    assert.equal(await may('update', 'imagestreams.image.openshift.io', '--all-namespaces'), 'no');
    assert.equal(await may('delete', 'imagestreams.image.openshift.io', '--namespace=ci'), 'no');
    assert.equal(await may('update', 'leases/quayside-mirror', '--namespace=quayside'), 'no');
    assert.equal(await may('get', 'secrets', '--namespace=quayside'), 'no');
  });
}

/** The settings of the ConfigMap, with the places of this machine. */
async function settingsFile({ stage }: Scene, url: string, kubeconfigFile: string): Promise<string> {
  const { data } = parse(await readFile(join(folder, 'config.yaml'), 'utf8')) as {
    readonly data: Readonly<Record<string, string>>;
  };
  const settings = parse(data['quayside.yaml'] ?? '') as {
    readonly upstreams: Readonly<Record<string, object>>;
    readonly clusters: Readonly<Record<string, object>>;
  };
  const file = join(stage.directory, 'pruner.yaml');
  await writeFile(join(stage.directory, 'no-logins.json'), '{}');
  const own = {
    ...settings,
    store: { filesystem: { path: join(stage.directory, 'pruner-store') } },
    upstreams: { 'quay.io': { url, repositories: [repository] } },
    clusters: { here: { ...settings.clusters['here'], kubeconfigFile } },
  };
  await writeFile(file, JSON.stringify(own));
  return file;
}
