/** The cases that `deploy/kubernetes` holds, and what is known of chart and output without Helm. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Fields, isObject } from '../../src/base/text/json.ts';

export const deploy = join(import.meta.dirname, '../../deploy');
export const chart = join(deploy, 'chart');
export const output = join(deploy, 'kubernetes');

/** A folder of rendered output. */
export interface Case {
  readonly name: string;
  /** Where its objects are. */
  readonly namespace: string;
  /** The files with its values: a later one wins. */
  readonly values: readonly string[];
}

const valuesOf = (...names: readonly string[]) => names.map((name) => join(chart, 'cases', `${name}.yaml`));

/** Those of the server. */
export const cases: readonly Case[] = [
  { name: 'cache', namespace: 'quayside', values: valuesOf('cache') },
  { name: 'qci-appci', namespace: 'ci', values: valuesOf('qci-appci') },
  { name: 'ci-images-mirror', namespace: 'ci', values: valuesOf('ci-images-mirror') },
  { name: 'all-in-one', namespace: 'ci', values: valuesOf('all-in-one') },
];

/** The pruner as a Deployment, and as a CronJob. */
export const pruners: readonly [hourly: Case, nightly: Case] = [
  { name: 'prune', namespace: 'quayside', values: valuesOf('prune') },
  { name: 'prune-nightly', namespace: 'quayside', values: valuesOf('prune', 'prune-nightly') },
];

/** The pruner of the integrated registry. */
export const imagePruner: Case = {
  name: 'image-pruner',
  namespace: 'quayside',
  values: valuesOf('image-pruner'),
};

export const allCases: readonly Case[] = [...cases, ...pruners, imagePruner];

/** The values of a case as Helm completes them by those of the chart. */
export async function mergedValues({ values }: Pick<Case, 'values'>): Promise<Fields> {
  const read = async (path: string): Promise<unknown> => parse(await readFile(path, 'utf8'));
  const [own, ...given] = await Promise.all([join(chart, 'values.yaml'), ...values].map(read));
  return given.reduce(merged, own) as Fields;
}

function merged(own: unknown, given: unknown): unknown {
  if (!isObject(own) || !isObject(given)) return given;
  const keys = new Set([...Object.keys(own), ...Object.keys(given)]);
  return Object.fromEntries(
    [...keys].flatMap((key) => {
      const value = Object.hasOwn(given, key) ? merged(own[key], given[key]) : own[key];
      return value === null ? [] : [[key, value]];
    }),
  );
}

/** Of all files below a folder, whatever their order; `except` are names that do not count. */
export async function digestOf(folder: string, except: readonly string[] = []): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !except.includes(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
  for (const path of paths.toSorted()) hash.update(`${path}\n`).update(await readFile(join(folder, path)));
  return hash.digest('hex').slice(0, 32);
}

export const kustomization = 'kustomization.yaml';
