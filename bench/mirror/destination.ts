import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { acceptManifests } from '../../src/oci/manifest.ts';
import type { Lab } from '../lab.ts';
import { type PlainRegistry, plainRegistry } from '../servers/docker-registry.ts';
import type { MirroredImage } from './images.ts';

/** Starts an empty registry, lets `use` have it, and takes it and its files away. */
export async function withEmptyRegistry<Result>(
  lab: Pick<Lab, 'programs' | 'directory'>,
  command: string,
  name: string,
  use: (registry: PlainRegistry) => Promise<Result>,
): Promise<Result> {
  const directory = join(lab.directory, name);
  await mkdir(directory);
  const registry = await plainRegistry(command, name, { programs: lab.programs, directory });
  try {
    return await use(registry);
  } finally {
    await registry.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** How many of the images are not there under their tags, with all their blobs. */
export async function missingIn(origin: string, images: readonly MirroredImage[]): Promise<number> {
  let missing = 0;
  for (const image of images) if (!(await isThere(origin, image))) missing += 1;
  return missing;
}

async function isThere(origin: string, { repository, tag, digest }: MirroredImage): Promise<boolean> {
  const base = `${origin}/v2/${repository}`;
  const answer = await fetch(`${base}/manifests/${tag}`, { headers: { accept: acceptManifests } });
  const text = await answer.text();
  if (!answer.ok || answer.headers.get('docker-content-digest') !== digest) return false;
  const { config, layers } = JSON.parse(text) as Manifest;
  for (const blob of [config, ...layers]) {
    const held = await fetch(`${base}/blobs/${blob.digest}`, { method: 'HEAD' });
    if (!held.ok) return false;
  }
  return true;
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}
