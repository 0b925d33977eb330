import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import { run } from '../../../src/cli/commands/run.ts';
import { type ClusterDouble, clusterDouble } from '../../support/cluster-double.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';
import { serviceRig } from '../../support/service.ts';
import { recordedIo } from '../io.ts';

/** One step as the JSON has it. */
export interface ToldStep {
  readonly number: number;
  readonly title: string;
  readonly mark: string;
  readonly found: readonly string[];
  readonly next?: { readonly do: readonly string[]; readonly who: string };
}

export interface Told {
  readonly verdict: string;
  readonly notes: readonly string[];
  readonly steps: readonly ToldStep[];
}

/** Settings and a store, without a server; `quay.io` is a registry double. */
interface ExplainRig {
  readonly directory: string;
  readonly double: RegistryDouble;
  readonly cluster: ClusterDouble;
  /** Writes a file into the directory; resolves to its path. */
  file(name: string, content: string): Promise<string>;
  /** Pulls by a server with the same store, which then ends. */
  pull(repository: string, tag: string): Promise<void>;
  explain(...words: readonly string[]): Promise<{ code: number; out: string; err: string }>;
  /** The JSON document of the same. */
  told(...words: readonly string[]): Promise<Told & { readonly code: number }>;
}

/** Ann may pull `ocp/4.5` on cluster app.ci. */
export async function explainRig(
  t: Test,
  settings: (directory: string, double: RegistryDouble) => Readonly<Record<string, unknown>> = () => ({}),
): Promise<ExplainRig> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-explain-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const double = await registryDouble();
  t.teardown(() => double.close());
  const cluster = await clusterDouble({ bindings: [{ to: 'ann', namespace: 'ocp', name: '4.5' }] });
  t.teardown(() => cluster.close());
  const store = { filesystem: { path: join(directory, 'store') } };
  const config = {
    store,
    clusters: { 'app.ci': { kubeconfigFile: await cluster.kubeconfig(directory) } },
    hosts: { 'ci.example.com': { auth: 'cluster', access: 'imagestream', upstream: 'quay.io' } },
    upstreams: { 'quay.io': { url: double.url, allowPrivateAddresses: true, retries: 0 } },
    ...settings(directory, double),
  };
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(join(directory, name), content);
    return join(directory, name);
  };
  const configFile = await file('quayside.yaml', stringify(config));
  const explain = async (...words: readonly string[]) => {
    const io = recordedIo();
    const code = await run(['explain', '--config', configFile, ...words], io);
    return { code, out: io.out(), err: io.err() };
  };
  return {
    directory,
    double,
    cluster,
    file,
    explain,
    async pull(repository, tag) {
      const rig = await serviceRig(t, { double, directory, settings: { store } });
      const answer = await fetch(`${rig.url}/v2/quay.io/${repository}/manifests/${tag}`);
      if (answer.status !== 200) throw new Error(`pull: ${answer.status}`);
      await answer.arrayBuffer();
      await rig.stop();
    },
    async told(...words) {
      const { code, out, err } = await explain(...words, '--output', 'json');
      if (out === '') throw new Error(err);
      return { ...(JSON.parse(out) as Told), code };
    },
  };
}

/** The step of that title. */
export function step({ steps }: Told, title: string): ToldStep {
  const found = steps.find((each) => each.title === title);
  if (found === undefined) throw new Error(`no step ${title}`);
  return found;
}

/** All that a step says, in one text. */
export function saying(told: Told, title: string): string {
  const { mark, found, next } = step(told, title);
  return [mark, ...found, ...(next?.do ?? []), next?.who ?? ''].join('\n');
}
