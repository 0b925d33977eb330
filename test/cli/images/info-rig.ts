import { join } from 'node:path';
import type { Test } from 'tap';
import { imageInfo } from '../../../src/cli/images/info.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

/** What one run said. */
interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface InfoRig {
  readonly registry: RegistryDouble;
  readonly dir: string;
  /** `image info` with plain HTTP and without logins. */
  run(...args: string[]): Promise<Ran>;
}

export const created = '2020-01-17T14:58:27.4844326Z';
/** The day after `created`, in ms since the epoch. */
const now = Date.parse(created) + 86_400_000;

export async function infoRig(t: Test): Promise<InfoRig> {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const dir = t.testdir({ 'auth.json': '{}' });
  return {
    registry,
    dir,
    async run(...args) {
      const io = recordedIo();
      const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
      const code = await imageInfo(() => now)(['--insecure', '--dir', dir, ...args], { ...io, env });
      return { code, out: io.out(), err: io.err() };
    },
  };
}

/** An image whose configuration says something. */
export function addTold(
  registry: RegistryDouble,
  repository: string,
  tags: readonly string[],
  more: { readonly architecture?: string; readonly labels?: Readonly<Record<string, string>> } = {},
) {
  const { architecture = 'amd64', labels = { summary: 'a tool' } } = more;
  const config = Buffer.from(
    JSON.stringify({
      created,
      architecture,
      os: 'linux',
      author: 'CI',
      config: {
        Entrypoint: ['/bin/tool'],
        Cmd: ['--help'],
        Env: ['PATH=/bin', 'HOME=/'],
        Labels: labels,
        ExposedPorts: { '8080/tcp': {} },
        User: '1001',
        Volumes: { '/data': {} },
        WorkingDir: '/work',
      },
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  );
  const layers = [70_000, 3_000].map((size, at) => {
    const bytes = Buffer.alloc(size, `${architecture} ${at}`);
    const mediaType = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
    return { mediaType, size, digest: registry.addBlob(repository, bytes) };
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      size: config.length,
      digest: registry.addBlob(repository, config),
    },
    layers,
  };
  const digest = registry.addManifest(
    repository,
    Buffer.from(JSON.stringify(manifest)),
    mediaTypes.dockerManifest,
    ...tags,
  );
  return { digest, layers, config: manifest.config.digest };
}

/** An index over images of these architectures. */
export function addList(
  registry: RegistryDouble,
  repository: string,
  tag: string,
  architectures: readonly string[],
) {
  const manifests = architectures.map((architecture) => ({
    mediaType: mediaTypes.dockerManifest,
    size: 500,
    digest: addTold(registry, repository, [], { architecture }).digest,
    platform: { os: 'linux', architecture },
  }));
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.dockerList, manifests }),
  );
  const digest = registry.addManifest(repository, bytes, mediaTypes.dockerList, tag);
  return { digest, children: manifests.map((each) => each.digest) };
}

/** Something small that refers to an image, or lies under a tag of its own. */
export function addReferrer(
  registry: RegistryDouble,
  repository: string,
  { artifactType, subject, tag }: { artifactType: string; subject?: Digest; tag?: string },
): Digest {
  const empty = Buffer.from('{}');
  const config = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    size: 2,
    digest: registry.addBlob(repository, empty),
  };
  const about = subject && {
    subject: { mediaType: mediaTypes.dockerManifest, size: 500, digest: subject },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config,
    layers: [],
    ...about,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return registry.addManifest(repository, bytes, mediaTypes.ociManifest, ...(tag === undefined ? [] : [tag]));
}
