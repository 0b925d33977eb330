import { LRUCache } from 'lru-cache';
import { createLru } from '../../base/state/lru.ts';
import { type Descriptor, mismatch } from '../../oci/content.ts';
import { isNamedBy } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Manifest, parseManifest } from '../../oci/manifest.ts';
import { isManifestNamedBy } from '../../oci/schema1.ts';

/** A manifest that is at hand. */
export interface ReadManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** What manifests list, read once. Nothing is told of a digest but what bytes say that it names. */
export interface ParsedManifests {
  /** Verifies incoming bytes, and keeps their references. Throws `UPSTREAM_INVALID`. */
  admit(manifest: ReadManifest, parsed?: Manifest): Manifest;
  /** The references of a manifest; reads and verifies it unless remembered. Throws likewise. */
  of(manifest: ReadManifest): Manifest;
  /** The same; undefined for bytes that are not a manifest of the stated type. */
  orNone(manifest: ReadManifest): Manifest | undefined;
  /** Whether `orNone` would find one, which is remembered of many more than what they list. */
  isOne(manifest: ReadManifest): boolean;
}

/** Descriptors remembered, of all manifests together: about 25 MB. */
const mostDescriptors = 100_000;

/** Manifests of which it is remembered whether they are some. */
const mostVerdicts = 50_000;

/** Nothing is remembered yet. */
export function createParsedManifests(): ParsedManifests {
  /** By digest and stated type: an upstream may state any type of any bytes. */
  const remembered = new LRUCache<string, Manifest>({
    maxSize: mostDescriptors,
    sizeCalculation: ({ children, blobs, foreign = [] }) =>
      2 + children.length + blobs.length + foreign.length,
  });

  const verdicts = createLru<string, boolean>(mostVerdicts);

  function admit({ descriptor, bytes }: ReadManifest, parsed?: Manifest): Manifest {
    const { digest, mediaType } = descriptor;
    const manifest = parsed ?? parseManifest(bytes, mediaType);
    if (!isManifestNamedBy(bytes, manifest.mediaType, digest)) throw mismatch(descriptor, bytes.byteLength);
    remembered.set(keyOf(descriptor), manifest);
    verdicts.set(keyOf(descriptor), true);
    return manifest;
  }

  const of = (manifest: ReadManifest): Manifest =>
    remembered.get(keyOf(manifest.descriptor)) ?? admit(manifest);

  function orNone(manifest: ReadManifest): Manifest | undefined {
    const { descriptor, bytes } = manifest;
    if (verdicts.get(keyOf(descriptor)) === false) return undefined;
    try {
      return of(manifest);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      if (isNamedBy(descriptor.digest, bytes)) verdicts.set(keyOf(descriptor), false);
      return undefined;
    }
  }

  return {
    admit,
    of,
    orNone,
    isOne: (manifest) => verdicts.get(keyOf(manifest.descriptor)) ?? orNone(manifest) !== undefined,
  };
}

function keyOf({ digest, mediaType = '' }: Descriptor): string {
  return `${digest} ${mediaType}`;
}

/**
 * Descriptors that get records at one answer. Images list some ten, a manifest of 4 MB up to
 * 41,000: the rest is confirmed on request, by the upstream and the manifest.
 */
export const mostRecorded = 4_000;

/** What of a manifest gets records, and whether that is less than it lists. */
interface Recorded {
  readonly below: readonly Descriptor[];
  readonly isPartial: boolean;
}

/** The first `most` of what the manifest lists. */
export function recordedIn({ children, blobs }: Manifest, most: number = mostRecorded): Recorded {
  const below = [...children.slice(0, most), ...blobs.slice(0, Math.max(0, most - children.length))];
  return { below, isPartial: below.length < children.length + blobs.length };
}
