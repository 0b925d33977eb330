import { field, listOf, parseJson } from '../../base/text/json.ts';
import { mediaTypes } from '../../oci/manifest.ts';
import { referrersTag } from '../../oci/referrers-tag.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { ImageDestination } from './endpoints.ts';

/**
 * Reads the list under the fallback tag of a registry that has no referrers API; `upstream` is the destination, for reading.
 * The entries are kept as they are, with whatever others wrote into them.
 */
export function taggedReferrers(
  upstream: Pick<Upstream, 'manifest' | 'referrers'>,
): NonNullable<ImageDestination['taggedReferrers']> {
  return async (repository, subject, options = {}) => {
    if ((await upstream.referrers(repository, subject, '', options)) !== undefined) return undefined;
    const answer = await upstream.manifest(repository, { tag: referrersTag(subject) }, options);
    if (answer.kind !== 'found' || answer.bytes === undefined) return [];
    return answer.descriptor.mediaType === mediaTypes.ociIndex
      ? listOf(field(parseJson(answer.bytes), 'manifests'))
      : [];
  };
}
