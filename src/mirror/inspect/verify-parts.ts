import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import { presentTags } from '../copy/attachments.ts';
import { allReferrers } from '../endpoints/reading.ts';
import { mayBeBlob, type Node, nodeOf } from '../images/graph.ts';
import { sourceText } from '../images/image-copy.ts';
import { chosenPlatforms } from '../images/platforms.ts';
import { whyUnread } from './gaps.ts';
import { type InspectionFault, isFault } from './holding.ts';
import type { ExpectedImage } from './verify.ts';

/** How deep indexes, and referrers of referrers, may nest: no tool makes more than two. */
const deepest = 8;

interface InspectedPlace {
  readonly image: ExpectedImage;
  readonly signal: AbortSignal;
  /** Manifests that were begun: each is judged once. */
  readonly seen: Set<Digest>;
}

/**
 * What is wrong with a manifest at the destination and with all below it, and, where the image is
 * to have its referrers, with those that the source lists.
 */
export function partFaults(
  digest: Digest,
  image: ExpectedImage,
  signal: AbortSignal,
): Promise<readonly InspectionFault[]> {
  return manifestFaults(digest, 0, { image, signal, seen: new Set() });
}

async function manifestFaults(
  digest: Digest,
  depth: number,
  place: InspectedPlace,
): Promise<readonly InspectionFault[]> {
  const { held, to, referrers } = place.image;
  if (place.seen.has(digest)) return [];
  place.seen.add(digest);
  if (depth > deepest) return [{ state: 'cannot tell', reason: `manifest ${digest} nests too deep` }];
  const manifest = await held.manifest(to.repository, digest);
  if (isFault(manifest)) return [manifest];
  const node = readNode(() => nodeOf(manifest, place.image.foreignLayers ?? 'skip'));
  if (isFault(node)) return [node];
  const { children, blobs } = depth === 0 ? keptPart(node, place.image) : node;
  const found = await Promise.all([
    ...children.map((child) => childFaults(child, depth + 1, place)),
    ...blobs.map(async (blob) => listOf(await held.blob(to.repository, blob))),
    referrers === true ? referrerFaults(digest, depth + 1, place) : [],
  ]);
  return found.flat();
}

/** A list that is kept whole may be there over some of its images only. */
function keptPart(node: Node, { filterByOs, keepManifestList = true }: ExpectedImage): Node {
  if (filterByOs === undefined || !keepManifestList) return node;
  const chosen = chosenPlatforms(node, { filterByOs, keepManifestList });
  return chosen.kind === 'node' ? chosen.node : node;
}

/** A child whose type is no manifest's is a blob, or a manifest of a new type. */
async function childFaults(
  child: Descriptor,
  depth: number,
  place: InspectedPlace,
): Promise<readonly InspectionFault[]> {
  const { held, to } = place.image;
  if (!mayBeBlob(child)) return manifestFaults(child.digest, depth, place);
  const fault = await held.blob(to.repository, child);
  if (fault?.state !== 'missing') return listOf(fault);
  const stated = await held.stat(to.repository, { digest: child.digest });
  return isFault(stated) ? [fault] : [];
}

async function referrerFaults(
  subject: Digest,
  depth: number,
  place: InspectedPlace,
): Promise<readonly InspectionFault[]> {
  const { image, signal } = place;
  const { source, from } = image;
  try {
    const [listed, tags] = await Promise.all([
      allReferrers(source, from.repository, subject, { signal }),
      presentTags([subject], (query) => source.tags(from.repository, query, { signal })),
    ]);
    signal.throwIfAborted();
    const found = await Promise.all([
      ...listed.map(({ digest }) => manifestFaults(digest, depth, place)),
      ...tags.map((tag) => tagFaults(tag, depth, place)),
    ]);
    return found.flat();
  } catch (error) {
    signal.throwIfAborted();
    const reason = `referrers of ${subject} at ${sourceText(image)}: ${whyUnread(error)}`;
    return [{ state: 'cannot tell', reason }];
  }
}

/** What cosign keeps under the tag at the source. */
async function tagFaults(
  tag: Tag,
  depth: number,
  place: InspectedPlace,
): Promise<readonly InspectionFault[]> {
  const { source, from, held, to } = place.image;
  const answer = await source.manifest(from.repository, { tag }, { method: 'HEAD', signal: place.signal });
  if (answer.kind !== 'found') return [];
  const expected = answer.descriptor.digest;
  const stated = await held.stat(to.repository, { tag });
  if (isFault(stated)) return [stated];
  if (stated.digest === expected) return manifestFaults(expected, depth, place);
  return [{ state: 'differs', reason: `${tag} is ${stated.digest}, and at the source ${expected}` }];
}

function readNode(read: () => Node): Node | InspectionFault {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { state: 'cannot tell', reason: whyUnread(error) };
  }
}

function listOf(fault: InspectionFault | undefined): readonly InspectionFault[] {
  return fault === undefined ? [] : [fault];
}
