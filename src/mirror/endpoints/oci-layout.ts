import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Semaphore } from '../../base/flow/semaphore.ts';
import { field, jsonOrNone } from '../../base/text/json.ts';
import { bytesOf, type Descriptor } from '../../oci/content.ts';
import { algorithmOf, type Digest, hexOf, isDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Manifest, mediaTypes } from '../../oci/manifest.ts';
import { isTag, type Tag } from '../../oci/reference.ts';
import type { ManifestBytes } from './endpoints.ts';
import { type ImageDirectory, imageDirectory } from './image-directory.ts';
import { disk, writeWhole } from './whole-file.ts';

/** One entry of `index.json`; what else stands in it is kept as it is. */
interface LayoutEntry {
  readonly digest: string;
  readonly annotations?: unknown;
}

const refName = 'org.opencontainers.image.ref.name';
const layoutFile = '{"imageLayoutVersion":"1.0.0"}';

/**
 * An OCI image layout (image-spec, "Image Layout"), both ways; it knows tags, but no repositories.
 *
 *     oci-layout, index.json
 *     blobs/<algorithm>/<hex>
 *
 * What is pushed without a tag stands in the index until something in it refers to it.
 */
export function ociLayout(path: string): ImageDirectory {
  const blobPath = (_repository: unknown, digest: Digest) =>
    join(path, 'blobs', algorithmOf(digest), hexOf(digest));
  const indexPath = join(path, 'index.json');
  const changes = new Semaphore({ permits: 1 });

  async function publish(manifest: ManifestBytes, parsed: Manifest, tag: Tag | undefined): Promise<void> {
    const entries = await readIndex(indexPath);
    if (entries === undefined) await writeWhole(join(path, 'oci-layout'), bytesOf(Buffer.from(layoutFile)));
    const manifests = withEntry(entries ?? [], manifest.descriptor, parsed, tag);
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    await writeWhole(indexPath, bytesOf(Buffer.from(JSON.stringify(index))));
  }

  return imageDirectory({
    name: `oci:${path}`,
    blobPath,
    manifestPath: blobPath,
    async tagged(_repository, tag) {
      const digest = (await readIndex(indexPath))?.find((entry) => tagOf(entry) === tag)?.digest;
      return isDigest(digest) ? digest : undefined;
    },
    async tags() {
      return (await readIndex(indexPath))?.map(tagOf).filter(isTag);
    },
    publish: (_repository, manifest, parsed, tag) => changes.run(() => publish(manifest, parsed, tag)),
  });
}

/** The entries with the new one, replacing the one of its tag; children need no entry. */
function withEntry(
  entries: readonly LayoutEntry[],
  descriptor: Descriptor,
  { children }: Manifest,
  tag: Tag | undefined,
): readonly LayoutEntry[] {
  const parts = new Set<string>([descriptor.digest, ...children.map(({ digest }) => digest)]);
  const isHeld = entries.some(({ digest }) => digest === descriptor.digest);
  if (tag === undefined && isHeld) return entries;
  const others = entries.filter((entry) => {
    const other = tagOf(entry);
    return other === undefined ? !parts.has(entry.digest) : other !== tag;
  });
  return [...others, tag === undefined ? descriptor : { ...descriptor, annotations: { [refName]: tag } }];
}

function tagOf({ annotations }: LayoutEntry): string | undefined {
  const tag = field(annotations, refName);
  return typeof tag === 'string' ? tag : undefined;
}

/** Undefined without a layout; throws `UPSTREAM_INVALID` for a broken index, never overwritten. */
async function readIndex(path: string): Promise<readonly LayoutEntry[] | undefined> {
  const text = await disk.ifPresent(readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  const manifests = field(jsonOrNone(text), 'manifests');
  if (Array.isArray(manifests) && manifests.every(isEntry)) return manifests;
  throw new RegistryError('UPSTREAM_INVALID', `${path} is not the index of an OCI image layout`);
}

function isEntry(value: unknown): value is LayoutEntry {
  return typeof field(value, 'digest') === 'string';
}
