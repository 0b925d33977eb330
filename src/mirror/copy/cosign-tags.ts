import type { Digest } from '../../oci/digest.ts';
import { isTag, type Tag } from '../../oci/reference.ts';

const suffixes = ['sig', 'att', 'sbom'] as const;

/**
 * The tags under which cosign keeps signatures, attestations and bills of materials of a manifest,
 * without a list. A sha512 is too long for one.
 */
export function cosignTags(digest: Digest): readonly Tag[] {
  return suffixes.map((suffix) => `${digest.replace(':', '-')}.${suffix}`).filter(isTag);
}
