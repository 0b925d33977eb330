import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Reference, referenceText } from '../../oci/reference.ts';
import { isSchema1 } from '../../oci/schema1.ts';
import { CopyError } from '../failure.ts';
import type { Node } from '../images/graph.ts';
import type { ImageCopy } from '../images/image-copy.ts';
import { askDestination, type Copying, placeOf } from './copying.ts';

/**
 * Puts the manifest, whose parts are confirmed, under the reference. For a destination that misses
 * a part anyway, checks each part again, then sends each again: by `parts`. Resolves to the tag's
 * current content if that was not to be overwritten. Throws CopyError.
 */
export async function publish(
  node: Node,
  reference: Reference,
  copying: Copying,
  parts: (mustSend: boolean) => Promise<void>,
): Promise<Digest | undefined> {
  for (let refusals = 0; ; refusals += 1) {
    try {
      return await putManifest(node, reference, copying);
    } catch (error) {
      if (!(error instanceof CopyError) || refusals >= remediesOf(error)) throw error;
    }
    forgetParts(node, copying);
    await parts(copying.image.force === true || refusals > 0);
  }
}

/** There is no conditional PUT (distribution-spec, "Pushing Manifests"): check right before it. */
async function putManifest(
  { manifest }: Node,
  reference: Reference,
  copying: Copying,
): Promise<Digest | undefined> {
  const { image, run } = copying;
  const { destination, to } = image;
  const { descriptor } = manifest;
  const topic = { kind: 'manifest', reference: descriptor.digest, isSchema1: isSchema1(descriptor) } as const;
  const isGuarded = reference.tag !== undefined && !(await mayOverwrite(image));
  const holder = await askDestination(copying, topic, async (signal) => {
    const found = isGuarded && (await destination.statManifest(to.repository, reference, { signal }));
    if (found) return found.digest;
    await destination.putManifest(to.repository, reference, manifest, { signal });
    return undefined;
  });
  if (holder !== undefined) return holder;
  copying.changed();
  run.events.manifestPut?.({ image, descriptor, reference: referenceText(reference) });
  return undefined;
}

async function mayOverwrite({ overwrites = true }: ImageCopy): Promise<boolean> {
  return typeof overwrites === 'function' ? overwrites() : overwrites;
}

/** How often mending is useful. Quay calls a manifest without its blobs invalid: then once. */
function remediesOf({ kind, cause }: CopyError): number {
  if (kind === 'blob-unknown') return 2;
  return kind === 'manifest-invalid' && cause instanceof RegistryError && cause.code === 'MANIFEST_INVALID'
    ? 1
    : 0;
}

function forgetParts({ blobs, children }: Node, copying: Copying): void {
  const { shared } = copying.run;
  for (const { digest } of blobs) shared.forget(placeOf(copying, 'blob', digest));
  for (const { digest } of children) {
    shared.forget(placeOf(copying, 'manifest', digest));
    shared.forget(placeOf(copying, 'blob', digest));
  }
}
