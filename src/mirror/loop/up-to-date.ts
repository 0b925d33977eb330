import type { Descriptor } from '../../oci/content.ts';
import { isIndex } from '../images/graph.ts';
import type { ImageInspector } from '../images/image-inspector.ts';
import type { ImageReference } from '../references/image-reference.ts';

/**
 * The same digest, or the target's index holds it for linux/amd64: some image streams know only
 * that child of an index, and an index must not be overwritten with a part of itself. At most one
 * GET; throws as `ImageInspector` does.
 */
export async function isUpToDate(
  look: ImageInspector,
  wanted: Descriptor,
  held: Descriptor,
  target: ImageReference,
  signal: AbortSignal,
): Promise<boolean> {
  if (wanted.digest === held.digest) return true;
  if (!isIndex(held) || isIndex(wanted)) return false;
  return (await look.amd64(target, signal)) === wanted.digest;
}
