import type { Descriptor } from '../../oci/content.ts';
import { isManifestType, mediaTypes, parseManifest } from '../../oci/manifest.ts';
import type { ManifestBytes } from '../endpoints/endpoints.ts';

/** A manifest and what of it is to be copied. */
export interface Node {
  readonly manifest: ManifestBytes;
  readonly children: readonly Descriptor[];
  readonly blobs: readonly Descriptor[];
  /** Layers with `urls` of their own that are left where they are. */
  readonly skipped: readonly Descriptor[];
}

/**
 * The node of a manifest, each digest once. One of an unknown type has no references: it is copied
 * byte for byte. Throws `UPSTREAM_INVALID` for an unreadable one of a known type.
 */
export function nodeOf(manifest: ManifestBytes, foreignLayers: 'skip' | 'copy'): Node {
  const { mediaType } = manifest.descriptor;
  if (!isManifestType(mediaType)) return { manifest, children: [], blobs: [], skipped: [] };
  const { children, blobs, foreign = [] } = parseManifest(manifest.bytes, mediaType);
  const parts =
    foreignLayers === 'copy'
      ? { blobs: unique([...blobs, ...foreign]), skipped: [] }
      : { blobs: unique(blobs), skipped: unique(foreign) };
  return { manifest, children: unique(children), ...parts };
}

/** True for a child of an index whose type is no manifest's, such as a layer of a build cache. */
export function mayBeBlob({ mediaType }: Descriptor): boolean {
  return mediaType !== undefined && !isManifestType(mediaType);
}

/** True for manifests that list others. */
export function isIndex({ mediaType }: Descriptor): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
}

function unique(descriptors: readonly Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values()];
}
