/**
 * Makes of the sources `values.schema.json` and the list of reloadable settings in `deploy/chart`,
 * and of the chart, by Helm, the folders of `deploy/kubernetes`.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from '../support/run-command.ts';
import { type Case, chart, digestOf, kustomization } from './cases.ts';
import { chartFiles } from './chart-files.ts';

/** Writes the generated files of the chart. */
export async function writeChartFiles(): Promise<void> {
  for (const [path, text] of Object.entries(chartFiles())) await writeFile(join(chart, path), text);
}

/** Renders a case by Helm into a folder, which is replaced; with values over it as by `--set`. */
export async function rendered(
  helm: string,
  one: Case,
  folder: string,
  sets: readonly string[] = [],
): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'quayside-chart-'));
  try {
    const over = sets.flatMap((set) => ['--set', set]);
    const values = one.values.flatMap((path) => ['--values', path]);
    const args = ['--namespace', one.namespace, ...values, ...over, '--output-dir', scratch];
    await finished(helm, ['template', 'quayside', chart, ...args], { env: helmHome(scratch) });
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const made = join(scratch, 'quayside/templates');
    const names: string[] = [];
    for (const name of (await readdir(made)).toSorted()) {
      const text = await readFile(join(made, name), 'utf8');
      if (!/^kind:/m.test(text)) continue;
      names.push(name);
      await writeFile(join(folder, name), plain(text));
    }
    await writeFile(join(folder, kustomization), await kustomizationOf(one, folder, names));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Nothing of the machine's own. */
function helmHome(folder: string): NodeJS.ProcessEnv {
  return { HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder };
}

/** Without Helm's own comments and what a template that writes nothing leaves. */
function plain(text: string): string {
  const lines = text.split('\n').filter((line) => !line.startsWith('# Source: '));
  const kept = lines
    .join('\n')
    .split(/^---$/m)
    .map((object) => object.replace(/^\n+|\s+$/g, ''));
  return `${kept
    .filter((object) => object !== '')
    .join('\n---\n')
    .replace(/[ \t]+$/gm, '')}\n`;
}

async function kustomizationOf({ name }: Case, folder: string, names: readonly string[]): Promise<string> {
  return `# Written by \`npm run chart\` from deploy/chart, with the values of cases/${name}.yaml:
# change those, or change these objects by an overlay. npm test compares the digests.
# chart: ${await digestOf(chart, ['values.schema.json'])}
# output: ${await digestOf(folder, [kustomization])}
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
${names.map((file) => `  - ${file}\n`).join('')}`;
}
