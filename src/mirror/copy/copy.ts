// Room `mirror/copy`: copies one image: manifests from the top, blobs, then tags. In: a source and
// a destination. Out: a confirmed copy, or a CopyError. Imports: base, mirror, mirror/endpoints,
// mirror/images, mirror/references, oci.

import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { type Reference, referenceText } from '../../oci/reference.ts';
import { CopyError } from '../failure.ts';
import type { Node } from '../images/graph.ts';
import {
  type CopiedImage,
  destinationText,
  type ImageCopy,
  type Seen,
  sourceText,
} from '../images/image-copy.ts';
import { chosenPlatforms, mayChange } from '../images/platforms.ts';
import { type Asking, askSource, type Copying } from './copying.ts';
import {
  copyAttachments,
  copyParts,
  copyReferrersOf,
  fetchNode,
  foundManifest,
  speaksForParts,
} from './graph-copy.ts';
import { publish } from './publish.ts';
import type { CopyRun } from './run.ts';

/** The reason with which the rest of an image is given up after a failure that does not pass. */
class GivenUp extends Error {
  override readonly name = 'GivenUp';
}

interface CopyImageOptions {
  /** Default: both ends are asked what they have. */
  readonly seen?: Seen;
  readonly signal?: AbortSignal;
}

/** What the source has, by one HEAD. Throws CopyError, or the reason of the abort. */
export function statedSource(image: ImageCopy, run: CopyRun): Promise<Descriptor> {
  return statedAtSource({ image, run, signal: run.signal });
}

/**
 * Copies an image whole: blobs before the manifests that name them, manifests before their index,
 * the tag last. An image that the destination has already costs a HEAD on each side. Throws
 * CopyError, or the signal's reason; confirmed content stays, and is not sent again.
 */
export async function copyImage(
  image: ImageCopy,
  run: CopyRun,
  options: CopyImageOptions = {},
): Promise<CopiedImage> {
  const own = new AbortController();
  const signals = [run.signal, own.signal, ...(options.signal === undefined ? [] : [options.signal])];
  let isChanged = false;
  const copying: Copying = {
    image,
    run,
    signal: AbortSignal.any(signals),
    giveUp: () => own.abort(new GivenUp('a part of the image cannot be copied')),
    changed: () => {
      isChanged = true;
    },
  };
  try {
    const copied = await copyRoot(copying, options.seen);
    return copied.outcome === 'copied' && !isChanged ? { ...copied, outcome: 'unchanged' } : copied;
  } catch (error) {
    run.signal.throwIfAborted();
    options.signal?.throwIfAborted();
    throw error instanceof CopyError ? error : unexpected(image, error);
  }
}

async function copyRoot(copying: Copying, seen: Seen | undefined): Promise<CopiedImage> {
  const { image } = copying;
  const stated = seen?.source ?? (await statedAtSource(copying));
  const there = image.force === true ? undefined : await thereUnderTag(copying, stated, seen?.destination);
  if (isUpToDate(stated, there, copying) && !mayChange(stated, image)) {
    return { outcome: 'unchanged', digest: stated.digest };
  }
  if (image.overwrites === false && there !== undefined) return leftTo(there.digest, stated.digest);
  const root = await chosenRoot(copying);
  if (root === undefined) return { outcome: 'filtered', digest: stated.digest };
  const { descriptor } = root.manifest;
  if (isUpToDate(descriptor, there, copying)) return { outcome: 'unchanged', digest: descriptor.digest };
  const holder = await publishRoot(root, there, copying);
  if (holder !== undefined) return leftTo(holder, descriptor.digest);
  return { outcome: 'copied', digest: descriptor.digest };
}

function leftTo(digest: Digest, wanted: Digest): CopiedImage {
  return { outcome: 'unchanged', digest, ...(digest === wanted ? {} : { isKept: true }) };
}

/** With referrers there is always something to ask: they change while the image does not. */
function isUpToDate(wanted: Descriptor, there: Descriptor | undefined, { image }: Copying): boolean {
  return wanted.digest === there?.digest && image.trust !== 'blobs' && image.referrers !== true;
}

async function statedAtSource(copying: Asking): Promise<Descriptor> {
  const { source, from } = copying.image;
  const topic = { kind: 'manifest', reference: referenceText(from.reference) } as const;
  const answer = await askSource(copying, topic, (signal) =>
    source.manifest(from.repository, from.reference, { method: 'HEAD', signal }),
  );
  if (answer.kind !== 'found') throw sourceGone(copying.image);
  return answer.descriptor;
}

async function thereUnderTag(
  copying: Copying,
  { digest }: Descriptor,
  seen: Seen['destination'],
): Promise<Descriptor | undefined> {
  const { tag } = copying.image.to;
  if (tag !== undefined && seen !== undefined) return seen === 'nothing' ? undefined : seen;
  return foundManifest(tag === undefined ? { digest } : { tag }, copying);
}

/** What the destination is to have; undefined when no platform of it is wanted. */
async function chosenRoot(copying: Copying): Promise<Node | undefined> {
  const node = await fetchNode(copying.image.from.reference, copying);
  if (node === undefined) throw sourceGone(copying.image);
  const chosen = chosenPlatforms(node, copying.image);
  if (chosen.kind === 'nothing') return undefined;
  if (chosen.kind === 'node') return chosen.node;
  const child = await fetchNode({ digest: chosen.child.digest }, copying);
  if (child === undefined) throw sourceGone(copying.image);
  return child;
}

/**
 * Referrers come before the tag, so that a client that pulls the tag finds the signatures. Resolves
 * to the tag's current content where that was not to be overwritten.
 */
async function publishRoot(
  root: Node,
  there: Descriptor | undefined,
  copying: Copying,
): Promise<Digest | undefined> {
  const { image } = copying;
  const { descriptor } = root.manifest;
  const { digest } = descriptor;
  const { tag } = image.to;
  const parts = (mustSend: boolean) => copyParts(root, copying, { mustSend, depth: 0 });
  const isTagged = there?.digest === digest;
  const isThere = isTagged || (await isThereByDigest(descriptor, copying));
  const put = (reference: Reference) => publish(root, reference, copying, parts);
  if (!isThere || !speaksForParts(descriptor, copying)) await parts(image.force === true);
  if (image.referrers === true) {
    if (!isThere) await put({ digest });
    await copyReferrersOf(root, copying);
  } else if (image.attachments !== undefined && image.attachments !== false)
    await copyAttachments(root, copying);
  return isTagged ? undefined : await put(tag === undefined ? { digest } : { tag });
}

async function isThereByDigest({ digest }: Descriptor, copying: Copying): Promise<boolean> {
  const { image } = copying;
  if (image.force === true || image.to.tag === undefined) return false;
  return (await foundManifest({ digest }, copying)) !== undefined;
}

function sourceGone(image: ImageCopy): CopyError {
  return new CopyError(
    'source-gone',
    `manifest ${sourceText(image)}: the source has no such image: push it there again, or leave it out`,
  );
}

function unexpected(image: ImageCopy, cause: unknown): CopyError {
  const place = `${sourceText(image)} to ${destinationText(image)}`;
  return new CopyError('unavailable', `${place}: failed for an unknown reason: retrying later`, { cause });
}
