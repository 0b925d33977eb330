import { field, listOf, parseJson } from '../../base/text/json.ts';
import { mediaTypes } from '../../oci/manifest.ts';
import { referrersTag } from '../../oci/referrers-tag.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import type { ImageDestination } from './endpoints.ts';

/**
 * Reads the list under the fallback tag of a registry without referrers API; `reader` reads the
 * destination. Keeps the entries unchanged, also those of others.
 */
export function taggedReferrers(
  reader: Pick<RegistryReader, 'manifest' | 'referrers'>,
): NonNullable<ImageDestination['taggedReferrers']> {
  return async (repository, subject, options = {}) => {
    if ((await reader.referrers(repository, subject, '', options)) !== undefined) return undefined;
    const answer = await reader.manifest(repository, { tag: referrersTag(subject) }, options);
    if (answer.kind !== 'found' || answer.bytes === undefined) return [];
    return answer.descriptor.mediaType === mediaTypes.ociIndex
      ? listOf(field(parseJson(answer.bytes), 'manifests'))
      : [];
  };
}
