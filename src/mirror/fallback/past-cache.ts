import { RegistryError } from '../../oci/errors.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { MissOrigin } from './sources.ts';

/**
 * The upstream as a source, without its cache and without its own sources. An upstream that rules
 * fill is read so: its cache asks the rules again, and two registries that are each other's source
 * would wait for each other.
 */
export function pastCache(upstream: Upstream): MissOrigin {
  return {
    upstream,
    reader: upstream,
    manifests: {
      async resolve(repository, reference) {
        const found = await upstream.manifest(repository, reference, { isUrgent: true });
        if (found.kind !== 'found' || found.bytes === undefined)
          throw new RegistryError('MANIFEST_UNKNOWN', 'the source has no such manifest');
        const { descriptor, bytes, warnings } = found;
        return { descriptor, bytes, warnings, hit: 'fill' };
      },
    },
  };
}
