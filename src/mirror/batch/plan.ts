import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { isTag, type Repository, type Tag } from '../../oci/reference.ts';
import type { ImageDestination } from '../endpoints/endpoints.ts';
import type { CopyEvents } from '../images/copy-events.ts';
import type { ImageCopy } from '../images/image-copy.ts';

/** What one repository is to get. */
export interface PlannedRepository {
  readonly destination: string;
  readonly repository: Repository;
  readonly blobs: readonly PlannedBlob[];
  /** In the order in which they are written. */
  readonly manifests: readonly { readonly digest: Digest; readonly tag?: Tag }[];
}

export interface PlannedBlob {
  readonly image: ImageCopy;
  readonly descriptor: Descriptor;
  /** Taken over from another repository of the registry, without its bytes. */
  readonly isMounted: boolean;
}

interface CopyPlan {
  readonly events: Pick<CopyEvents, 'blobEnded' | 'manifestPut'>;
  /** In alphabetical order of where they are. */
  repositories(): readonly PlannedRepository[];
}

/** The same destination without writes: it accepts everything, and reads no byte. */
export function untouched(destination: ImageDestination): ImageDestination {
  return {
    ...destination,
    mountBlob: async () => true,
    putBlob: async () => {},
    putManifest: async () => {},
  };
}

/** The plan of a run with destinations that are untouched. */
export function createCopyPlan(): CopyPlan {
  const planned = new Map<
    string,
    PlannedRepository & { blobs: PlannedBlob[]; manifests: PlannedRepository['manifests'][number][] }
  >();

  function placeOf({ destination: { name }, to: { repository } }: ImageCopy) {
    const key = `${name}/${repository}`;
    const place = planned.get(key) ?? { destination: name, repository, blobs: [], manifests: [] };
    planned.set(key, place);
    return place;
  }

  return {
    events: {
      blobEnded({ image, descriptor, outcome }) {
        if (outcome === 'present' || outcome === 'failed') return;
        placeOf(image).blobs.push({ image, descriptor, isMounted: outcome === 'mounted' });
      },
      manifestPut({ image, descriptor: { digest }, reference }) {
        placeOf(image).manifests.push({ digest, ...(isTag(reference) ? { tag: reference } : {}) });
      },
    },
    repositories: () =>
      [...planned.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, place]) => place),
  };
}
