import type { Descriptor } from '../../oci/content.ts';
import { algorithmOf, type Digest } from '../../oci/digest.ts';
import { isManifestNamedBy } from '../../oci/schema1.ts';
import { nodeOf } from '../images/graph.ts';
import { destinationText, type ImageCopy, sourceText } from '../images/image-copy.ts';
import { chosenPlatforms, mayChange } from '../images/platforms.ts';
import { whyUnread } from './gaps.ts';
import { type Holding, type InspectionFault, isFault } from './holding.ts';
import { partFaults } from './verify-parts.ts';

/** An image and the place where it should be. */
export interface ExpectedImage extends ImageCopy {
  /** The destination, as it is judged. */
  readonly held: Holding;
}

/** What became of an image. */
export interface Verification {
  readonly state: 'ok' | 'skipped' | InspectionFault['state'];
  /** What the destination has; undefined where that is not known, or nothing. */
  readonly digest?: Digest;
  /** Why it is not ok, one clause each. */
  readonly reasons: readonly string[];
  /** The source says that it does not exist, and nothing else is wrong with what is there. */
  readonly isSourceGone?: true;
}

/** What the source has; `gone` if nothing; `filtered` if no platform of it is wanted. */
type Wanted =
  | { readonly digest: Digest }
  | { readonly unknown: 'gone' | 'unread' | 'filtered'; readonly reason: string };

const worst = ['differs', 'missing', 'cannot tell'] as const;

/**
 * Compares the destination with the source, and with itself: every manifest and blob of it. What is
 * damaged or missing there is told also where the source does not say. Rejects only when aborted.
 */
export async function verifyImage(image: ExpectedImage, signal: AbortSignal): Promise<Verification> {
  const [wanted, there] = await Promise.all([wantedOf(image, signal), statedAt(image)]);
  const why = 'unknown' in wanted ? wanted.unknown : undefined;
  if ('unknown' in wanted && why === 'filtered') return { state: 'skipped', reasons: [wanted.reason] };
  const judged = await judgedBy(wanted, there, image, signal);
  return why === 'gone' && isHarmless(judged, wanted) ? { ...judged, isSourceGone: true } : judged;
}

/** Neither the source nor the destination has the tag, or the destination has a whole image. */
function isHarmless({ state, digest, reasons }: Verification, wanted: Wanted): boolean {
  if (state === 'missing') return digest === undefined;
  return 'unknown' in wanted && reasons.every((reason) => reason === wanted.reason);
}

async function judgedBy(
  wanted: Wanted,
  there: Descriptor | InspectionFault | undefined,
  image: ExpectedImage,
  signal: AbortSignal,
): Promise<Verification> {
  const expected = 'digest' in wanted ? wanted.digest : undefined;
  const stated = there ?? (expected && (await image.held.stat(image.to.repository, { digest: expected })));
  const unknown = 'unknown' in wanted ? [{ state: 'cannot tell', reason: wanted.reason } as const] : [];
  if (stated === undefined) return verdict(unknown);
  if (isFault(stated)) return verdict(stated.state === 'cannot tell' ? [stated, ...unknown] : [stated]);
  const { digest } = stated;
  const fault = expected && (await otherThan(expected, stated, image));
  if (fault !== undefined) return verdict([fault], digest);
  const faults = await partFaults(digest, image, signal);
  return verdict([...faults, ...unknown], digest);
}

/** What has the destination's tag; undefined without a tag. */
async function statedAt({ held, to }: ExpectedImage): Promise<Descriptor | InspectionFault | undefined> {
  return to.tag === undefined ? undefined : held.stat(to.repository, { tag: to.tag });
}

function verdict(faults: readonly InspectionFault[], digest?: Digest): Verification {
  const state = worst.find((each) => faults.some((fault) => fault.state === each)) ?? 'ok';
  const sorted = faults.toSorted((left, right) => worst.indexOf(left.state) - worst.indexOf(right.state));
  const reasons = [...new Set(sorted.map(({ reason }) => reason))];
  return { state, reasons, ...(digest === undefined ? {} : { digest }) };
}

/** A digest is its own answer, unless a filter puts another in its place. */
async function wantedOf(image: ExpectedImage, signal: AbortSignal): Promise<Wanted> {
  const { source, from, keepManifestList = true } = image;
  const { digest } = from.reference;
  if (digest !== undefined && keepManifestList && image.filterByOs === undefined) return { digest };
  try {
    const stated = await source.manifest(from.repository, from.reference, { method: 'HEAD', signal });
    if (stated.kind !== 'found') return gone(image);
    const isChosen = image.filterByOs !== undefined || mayChange(stated.descriptor, image);
    return isChosen ? await chosenOf(image, signal) : { digest: stated.descriptor.digest };
  } catch (error) {
    signal.throwIfAborted();
    return { unknown: 'unread', reason: `${sourceText(image)}: ${whyUnread(error)}` };
  }
}

async function chosenOf(image: ExpectedImage, signal: AbortSignal): Promise<Wanted> {
  const { source, from, foreignLayers = 'skip' } = image;
  const answer = await source.manifest(from.repository, from.reference, { signal });
  if (answer.kind !== 'found' || answer.bytes === undefined) return gone(image);
  const { descriptor, bytes } = answer;
  const chosen = chosenPlatforms(nodeOf({ descriptor, bytes }, foreignLayers), image);
  if (chosen.kind === 'nothing')
    return { unknown: 'filtered', reason: `no image of ${sourceText(image)} fits ${image.filterByOs}` };
  return { digest: chosen.kind === 'child' ? chosen.child.digest : chosen.node.manifest.descriptor.digest };
}

function gone(image: ExpectedImage): Wanted {
  const reason = `${sourceText(image)} does not exist, so that it is not known what ${destinationText(image)} should be`;
  return { unknown: 'gone', reason };
}

/**
 * What is wrong where the destination names another digest. A registry may hold by one algorithm
 * what was copied by another: its manifest tells.
 */
async function otherThan(
  expected: Digest,
  { digest }: Descriptor,
  image: ExpectedImage,
): Promise<InspectionFault | undefined> {
  const { held, to } = image;
  if (digest === expected) return undefined;
  const reason = `it is ${digest}, and ${sourceText(image)} is ${expected}`;
  const differs: InspectionFault = { state: 'differs', reason };
  if (algorithmOf(digest) === algorithmOf(expected)) return differs;
  const there = await held.manifest(to.repository, digest);
  if (isFault(there)) return there;
  return isManifestNamedBy(there.bytes, there.descriptor.mediaType, expected) ? undefined : differs;
}
