import type { ServedManifest } from '../../cache/manifests/tag-resolver.ts';
import type { TagPointers } from '../../cache/records/tag-pointers.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { isNotFound } from '../../oci/errors.ts';
import { isManifestType, parseManifest } from '../../oci/manifest.ts';
import type { Repository, Tag } from '../../oci/reference.ts';

export interface HistoryOptions {
  /** The name of the upstream that lacks the tags. */
  readonly upstream: string;
  /** What tags meant last. */
  readonly tags: Pick<TagPointers, 'find'>;
  /** The manifest in the upstream's own cache, or at the upstream. Throws as TagResolver does. */
  readonly kept: (repository: Repository, digest: Digest) => Promise<ServedManifest>;
  /** Whether the store has the content. */
  readonly isStored: (digest: Digest) => Promise<boolean>;
  /** Whether the upstream, or a source of it, has the manifest, and so what it names. */
  readonly isHad: (repository: Repository, digest: Digest) => Promise<boolean>;
}

/** How deep indexes are followed: no tool nests more. */
const deepest = 2;

/** For the preset `history`: what a tag meant last, while its content can be delivered. */
export function createHistory({ upstream, tags, kept, isStored, isHad }: HistoryOptions) {
  const find = (repository: Repository, tag: Tag) => tags.find({ upstream, repository }, tag);

  /** Everything below it is stored; of an index, of one of its images at least. */
  async function isWhole(repository: Repository, manifest: ServedManifest, depth = 0): Promise<boolean> {
    const { blobs, children } = parseManifest(manifest.bytes, manifest.descriptor.mediaType);
    const images = children.filter(isImage);
    for (const { digest } of [...blobs, ...children.filter((child) => !isManifest(child))])
      if (!(await isStored(digest))) return false;
    for (const { digest } of depth < deepest ? images : []) {
      const child = (await isStored(digest)) ? await keptOrNone(repository, digest) : undefined;
      if (child !== undefined && (await isWhole(repository, child, depth + 1))) return true;
    }
    return images.length === 0;
  }

  async function keptOrNone(repository: Repository, digest: Digest): Promise<ServedManifest | undefined> {
    try {
      return await kept(repository, digest);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  return {
    /** The record of the tag. */
    find,
    /** The last content, with a `Warning`; undefined without a record, or where it is gone. */
    async remembered(repository: Repository, tag: Tag): Promise<ServedManifest | undefined> {
      const pointer = await find(repository, tag);
      const manifest = pointer && (await keptOrNone(repository, pointer.digest));
      if (manifest === undefined) return undefined;
      const isThere =
        (await isWhole(repository, manifest)) || (await isHad(repository, manifest.descriptor.digest));
      const warning = `299 - "${upstream} no longer has this tag; this is its last known content"`;
      return isThere ? { ...manifest, warnings: [warning] } : undefined;
    },
  };
}

function isManifest({ mediaType }: Descriptor): boolean {
  return mediaType === undefined || isManifestType(mediaType);
}

/** BuildKit names no platform for what attests an image. */
function isImage(child: Descriptor): boolean {
  return isManifest(child) && child.platform !== 'unknown/unknown';
}
