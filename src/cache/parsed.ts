import { LRUCache } from 'lru-cache';
import { type Descriptor, mismatch } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { type Manifest, parseManifest } from '../oci/manifest.ts';
import { isManifestNamedBy } from '../oci/schema1.ts';

/** A manifest that is at hand. */
export interface ReadManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** What manifests list, read once. Nothing is told of a digest but what bytes say that it names. */
export interface ParsedManifests {
  /**
   * Verifies bytes that come in, and keeps what they list. Throws `UPSTREAM_INVALID` for others
   * than the digest names.
   */
  admit(manifest: ReadManifest, parsed?: Manifest): Manifest;
  /**
   * What the manifest lists; reads and verifies it unless that is remembered. Throws
   * `UPSTREAM_INVALID` as `admit` does.
   */
  of(manifest: ReadManifest): Manifest;
  /**
   * The same; undefined for what is no manifest: an index may name content of any type (image-spec,
   * "Image Index").
   */
  orNone(manifest: ReadManifest): Manifest | undefined;
}

/** Descriptors remembered, of all manifests together: about 25 MB. */
const mostDescriptors = 100_000;

/** Nothing is remembered yet. */
export function createParsedManifests(): ParsedManifests {
  const remembered = new LRUCache<Digest, Manifest>({
    maxSize: mostDescriptors,
    sizeCalculation: ({ children, blobs, foreign = [] }) =>
      2 + children.length + blobs.length + foreign.length,
  });

  function admit({ descriptor, bytes }: ReadManifest, parsed?: Manifest): Manifest {
    const { digest, mediaType } = descriptor;
    const manifest = parsed ?? parseManifest(bytes, mediaType);
    if (!isManifestNamedBy(bytes, manifest.mediaType, digest)) throw mismatch(descriptor, bytes.byteLength);
    remembered.set(digest, manifest);
    return manifest;
  }

  const of = (manifest: ReadManifest): Manifest =>
    remembered.get(manifest.descriptor.digest) ?? admit(manifest);

  return {
    admit,
    of,
    orNone(manifest) {
      try {
        return of(manifest);
      } catch (error) {
        if (error instanceof RegistryError) return undefined;
        throw error;
      }
    },
  };
}
