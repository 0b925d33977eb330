/** The real programs of the scenarios, and how each comes onto the machine. */
import { access, constants, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { whereIs } from '../support/program.ts';
import { finished } from '../support/run-command.ts';

/** Program → the Debian package that holds it. */
const debian = {
  'ceph-authtool': 'ceph-common',
  'ceph-mon': 'ceph-mon',
  'ceph-osd': 'ceph-osd',
  ceph: 'ceph-common',
  containerd: 'containerd',
  ctr: 'containerd',
  curl: 'curl',
  'docker-registry': 'docker-registry',
  htpasswd: 'apache2-utils',
  ip: 'iproute2',
  monmaptool: 'ceph-common',
  openssl: 'openssl',
  podman: 'podman',
  radosgw: 'radosgw',
  'radosgw-admin': 'radosgw',
  skopeo: 'skopeo',
  unshare: 'util-linux',
} as const;

/**
 * Program → the Go package it is built from, once for each version, under `.cache/go`. The conformance suite has no
 * newer version that the checksum database knows; it is a test binary, hence `go test -c`.
 */
const go = {
  conformance: {
    module: 'github.com/opencontainers/distribution-spec/conformance',
    version: 'v0.0.0-20230516164017-7fcdf80f3c8b',
    folder: '',
    build: ['test', '-c'],
  },
  crane: {
    module: 'github.com/google/go-containerregistry',
    version: 'v0.22.1',
    folder: '/cmd/crane',
    build: ['build'],
  },
  oras: { module: 'oras.land/oras', version: 'v1.2.3', folder: '/cmd/oras', build: ['build'] },
  versitygw: {
    module: 'github.com/versity/versitygw',
    version: 'v1.8.0',
    folder: '/cmd/versitygw',
    build: ['build'],
  },
} as const;

type GoProgram = keyof typeof go;
export type ProgramName = keyof typeof debian | GoProgram;

export type Located = { readonly path: string } | { readonly missing: string };

const systemFolders = ['/usr/sbin', '/sbin', '/usr/local/sbin'];
const goFolder = '/usr/local/go/bin';
const buildLimitMs = 15 * 60_000;

/** Where the program is; a Go program is built first if it must be, its output said by `progress`. */
export async function located(name: ProgramName, progress: (line: string) => void): Promise<Located> {
  if (isGoProgram(name)) return built(name, progress);
  const path = await whereIs(name, systemFolders);
  return path === undefined
    ? { missing: `${name} is not installed (Debian package ${debian[name]})` }
    : { path };
}

function isGoProgram(name: ProgramName): name is GoProgram {
  return name in go;
}

/**
 * Builds inside a module of ours that requires the program's: so the version is exact, the checksums are verified, and
 * test packages build like commands.
 */
async function built(name: GoProgram, progress: (line: string) => void): Promise<Located> {
  const { module, version, folder, build } = go[name];
  const directory = join(import.meta.dirname, '../../.cache/go', `${name}-${version}`);
  const path = join(directory, name);
  if (await isThere(path)) return { path };
  const compiler = await whereIs('go', [goFolder]);
  if (compiler === undefined) return { missing: `${name} needs Go to be built` };
  progress(`building ${name} ${version}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'go.mod'), `module build\n\ngo 1.24\n\nrequire ${module} ${version}\n`);
  const result = await finished(compiler, [...build, '-mod=mod', '-o', `${path}.new`, `${module}${folder}`], {
    cwd: directory,
    timeoutMs: buildLimitMs,
    mayFail: true,
  });
  if (result.code !== 0) return { missing: `${name} cannot be built: ${result.stderr.trim().slice(-500)}` };
  await rename(`${path}.new`, path);
  return { path };
}

function isThere(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
