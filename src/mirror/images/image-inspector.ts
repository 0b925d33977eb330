import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ManifestAnswer, RegistryReader } from '../../oci/registry-reader.ts';
import type { ImageReference } from '../references/image-reference.ts';
import { sourceFailure } from './classify.ts';
import { nodeOf } from './graph.ts';
import { chosenPlatforms } from './platforms.ts';

/** Looks at images without copying them. Throws `CopyError` when a registry does not say. */
export interface ImageInspector {
  /** What the image is now; undefined when there is nothing. One HEAD. */
  stat(image: ImageReference, signal: AbortSignal): Promise<Descriptor | undefined>;
  /** Of an index the linux/amd64 digest, which older mirrors compared; else undefined. One GET. */
  amd64(image: ImageReference, signal: AbortSignal): Promise<Digest | undefined>;
}

type InspectedImage = Extract<ManifestAnswer, { readonly kind: 'found' }>;

/** Looks into registries; `sourceOf` gives the one of a host as users write it. */
export function createImageInspector(
  sourceOf: (registry: string) => MaybePromise<RegistryReader>,
): ImageInspector {
  async function ask(
    method: 'GET' | 'HEAD',
    { registry, repository, reference }: ImageReference,
    signal: AbortSignal,
  ): Promise<InspectedImage | undefined> {
    try {
      const source = await sourceOf(registry);
      const answer = await source.manifest(repository, reference, { method, signal });
      return answer.kind === 'found' ? answer : undefined;
    } catch (error) {
      signal.throwIfAborted();
      throw sourceFailure(error, {
        kind: 'manifest',
        reference: reference.digest ?? reference.tag,
        registry,
        repository,
      });
    }
  }

  return {
    stat: async (image, signal) => (await ask('HEAD', image, signal))?.descriptor,
    async amd64(image, signal) {
      const found = await ask('GET', image, signal);
      return found?.bytes === undefined ? undefined : amd64Child(found.descriptor, found.bytes);
    },
  };
}

function amd64Child(descriptor: InspectedImage['descriptor'], bytes: Uint8Array): Digest | undefined {
  const choice = { filterByOs: /^linux\/amd64$/, keepManifestList: false };
  const chosen = chosenPlatforms(nodeOf({ descriptor, bytes }, 'skip'), choice);
  return chosen.kind === 'child' ? chosen.child.digest : undefined;
}
