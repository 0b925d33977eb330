/**
 * The programs that Debian has not, or not new enough: built from Go modules, once for each
 * version, under `.cache/go`.
 */
import { createHash } from 'node:crypto';
import { accessSync } from 'node:fs';
import { access, constants, cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { whereIs } from '../support/program.ts';
import { finished } from '../support/run-command.ts';

/** One of a public module. */
interface Published {
  readonly module: string;
  readonly version: string;
  /** Of the main package, within the module. */
  readonly folder: string;
  readonly build: readonly string[];
}

/**
 * One whose main package is a folder here, with the `go.mod` and `go.sum` that say what it is made
 * of.
 */
interface Own {
  readonly source: string;
  readonly build: readonly string[];
}

/** Made twice of one source: with the newest library, and with that of CRI-O 1.37. */
const puller = join(import.meta.dirname, 'puller');
const pullerTags = [
  'containers_image_openpgp',
  'containers_image_docker_daemon_stub',
  'containers_image_storage_stub',
];
const pullerBuild = ['build', '-trimpath', '-ldflags=-s -w', `-tags=${pullerTags.join(',')}`];

/** An API server says its version to its clients, hence `-X`. */
const programs = {
  conformance: {
    module: 'github.com/opencontainers/distribution-spec/conformance',
    version: 'v0.0.0-20260831232431-97274622c111',
    folder: '',
    build: ['build'],
  },
  crane: {
    module: 'github.com/google/go-containerregistry',
    version: 'v0.22.1',
    folder: '/cmd/crane',
    build: ['build'],
  },
  distribution: {
    module: 'github.com/distribution/distribution/v3',
    version: 'v3.1.2',
    folder: '/cmd/registry',
    build: ['build'],
  },
  helm: {
    module: 'helm.sh/helm/v4',
    version: 'v4.3.1',
    folder: '/cmd/helm',
    build: ['build', '-trimpath', '-ldflags=-s -w'],
  },
  kubernetes: {
    source: join(import.meta.dirname, 'kubernetes'),
    build: ['build', '-trimpath', '-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4'],
  },
  oras: { module: 'oras.land/oras', version: 'v1.2.3', folder: '/cmd/oras', build: ['build'] },
  puller: { source: puller, build: pullerBuild },
  'puller-crio-1.37': { source: puller, build: [...pullerBuild, '-modfile=crio-1.37.mod'] },
  regctl: {
    module: 'github.com/regclient/regclient',
    version: 'v0.11.7',
    folder: '/cmd/regctl',
    build: ['build'],
  },
  versitygw: {
    module: 'github.com/versity/versitygw',
    version: 'v1.8.0',
    folder: '/cmd/versitygw',
    build: ['build'],
  },
} as const satisfies Record<string, Published | Own>;

export type GoProgramName = keyof typeof programs;

const goFolder = '/usr/local/go/bin';
/** No C compiler is needed then, whatever a dependency could use one for. */
const withoutC = { CGO_ENABLED: '0' };
const cache = join(import.meta.dirname, '../../.cache/go');
/** Kubernetes took 7 minutes and 2 GB on two cores that others used as well. */
const buildLimitMs = 40 * 60_000;

export function isGoProgram(name: string): name is GoProgramName {
  return name in programs;
}

/** The path of the program, built now unless it was before; or why there is none. */
export async function built(
  name: GoProgramName,
  progress: (line: string) => void,
): Promise<{ readonly path: string } | { readonly missing: string }> {
  const recipe: Published | Own = programs[name];
  const directory = join(cache, `${name}-${'source' in recipe ? await fingerprint(recipe) : recipe.version}`);
  const path = join(directory, name);
  if (await isThere(path)) return { path };
  const compiler = await whereIs('go', [goFolder]);
  if (compiler === undefined) return { missing: `${name} needs Go to be built` };
  progress(`building ${name} in ${directory}`);
  await mkdir(directory, { recursive: true });
  const target = 'source' in recipe ? await copied(recipe, directory) : await required(recipe, directory);
  const result = await finished(compiler, [...recipe.build, '-o', `${path}.new`, ...target], {
    cwd: directory,
    env: withoutC,
    timeoutMs: buildLimitMs,
    mayFail: true,
  });
  if (result.code !== 0) return { missing: `${name} cannot be built: ${result.stderr.trim().slice(-500)}` };
  await rename(`${path}.new`, path);
  return { path };
}

/** The path of a published program that was built before; undefined otherwise. */
export function builtBefore(name: 'distribution' | 'versitygw'): string | undefined {
  const path = join(cache, `${name}-${programs[name].version}`, name);
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

/** A module of ours that requires the program's, so that the version is exact. */
async function required({ module, version, folder }: Published, directory: string): Promise<string[]> {
  await writeFile(join(directory, 'go.mod'), `module build\n\ngo 1.25\n\nrequire ${module} ${version}\n`);
  return ['-mod=mod', `${module}${folder}`];
}

/** A copy, so that no build ever writes into the tree. */
async function copied({ source }: Own, directory: string): Promise<string[]> {
  await cp(source, directory, { recursive: true });
  return ['-mod=readonly', '.'];
}

/** Of all that decides what is built. */
async function fingerprint({ source, build }: Own): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(build));
  for (const file of (await readdir(source)).toSorted())
    hash.update(file).update(await readFile(join(source, file)));
  return hash.digest('hex').slice(0, 12);
}

function isThere(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
