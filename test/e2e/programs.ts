/** The real programs of the scenarios, and how each comes onto the machine. */
import { whereIs } from '../support/program.ts';
import { built, type GoProgramName, isGoProgram } from './go-programs.ts';

/** Program → the Debian package that holds it. */
const debian = {
  bash: 'bash',
  buildah: 'buildah',
  'ceph-authtool': 'ceph-common',
  'ceph-mon': 'ceph-mon',
  'ceph-osd': 'ceph-osd',
  ceph: 'ceph-common',
  chromium: 'chromium',
  containerd: 'containerd',
  ctr: 'containerd',
  curl: 'curl',
  'docker-registry': 'docker-registry',
  dockerd: 'docker.io',
  fish: 'fish',
  htpasswd: 'apache2-utils',
  ip: 'iproute2',
  monmaptool: 'ceph-common',
  openssl: 'openssl',
  podman: 'podman',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  radosgw: 'radosgw',
  setpriv: 'util-linux',
  'radosgw-admin': 'radosgw',
  skopeo: 'skopeo',
  unshare: 'util-linux',
  zsh: 'zsh',
} as const;

export type ProgramName = keyof typeof debian | GoProgramName;

type Located = { readonly path: string } | { readonly missing: string };

const systemFolders = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/**
 * Where the program is; a Go program is built first if it must be, its output said by `progress`.
 */
export async function located(name: ProgramName, progress: (line: string) => void): Promise<Located> {
  if (isGoProgram(name)) return built(name, progress);
  const path = await whereIs(name, systemFolders);
  return path === undefined
    ? { missing: `${name} is not installed (Debian package ${debian[name]})` }
    : { path };
}
