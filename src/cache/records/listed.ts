import type { Descriptor } from '../../oci/content.ts';
import type { Manifest } from '../../oci/manifest.ts';

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
