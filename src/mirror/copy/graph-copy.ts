import { mayPass } from '../../base/time/retry.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { type Reference, referenceText, type Tag } from '../../oci/reference.ts';
import { CopyError } from '../failure.ts';
import { missingPart } from '../images/classify.ts';
import type { Landing } from '../images/copy-events.ts';
import { isIndex, mayBeBlob, type Node, nodeOf } from '../images/graph.ts';
import { repositoryText } from '../references/pull-spec.ts';
import { attachmentTags } from './attachments.ts';
import { blobText, copyBlob } from './blob-copy.ts';
import {
  askDestination,
  askSource,
  type Copying,
  once,
  placeOf,
  sourceSubject,
  together,
} from './copying.ts';
import { cosignTags } from './cosign-tags.ts';
import { publish } from './publish.ts';
import { copyReferrers } from './referrers.ts';

/** How deep indexes, and referrers of referrers, may nest: no tool makes more than two. */
const deepest = 8;

/** The manifest as the source has it; undefined when it does not. Throws CopyError. */
export function fetchNode(reference: Reference, copying: Copying): Promise<Node | undefined> {
  const { source, from, foreignLayers = 'skip' } = copying.image;
  const topic = { kind: 'manifest', reference: referenceText(reference) } as const;
  return askSource(copying, topic, async (signal) => {
    const answer = await source.manifest(from.repository, reference, { signal });
    if (answer.kind !== 'found' || answer.bytes === undefined) return undefined;
    return nodeOf({ descriptor: answer.descriptor, bytes: answer.bytes }, foreignLayers);
  });
}

/** What the destination has under the reference. Throws CopyError. */
export function foundManifest(reference: Reference, copying: Copying): Promise<Descriptor | undefined> {
  const { destination, to } = copying.image;
  const topic = { kind: 'manifest', reference: referenceText(reference) } as const;
  return askDestination(copying, topic, (signal) =>
    destination.statManifest(to.repository, reference, { signal }),
  );
}

/**
 * True if a destination with this manifest has all below it. An index proves nothing about its
 * children: it may have been pushed over some of them.
 */
export function speaksForParts(descriptor: Descriptor, { image }: Copying): boolean {
  return image.trust !== 'blobs' && descriptor.mediaType !== undefined && !isIndex(descriptor);
}

/** Everything that the manifest names, confirmed at the destination. Throws CopyError. */
export async function copyParts(node: Node, copying: Copying, needed: PartsNeeded): Promise<void> {
  const { mustSend, depth } = needed;
  const { digest } = node.manifest.descriptor;
  for (const { digest: skipped } of node.skipped)
    copying.run.tally.foreignSkipped(blobText(copying, skipped));
  const below = { mustSend, depth: depth + 1 };
  const children = node.children.map((descriptor) => copyChild(descriptor, digest, copying, below));
  const blobs = node.blobs.map((descriptor) => copyBlob({ descriptor, namedBy: digest, mustSend }, copying));
  await together([...children, ...blobs], copying);
}

/**
 * A child of an index. One of a type that is no manifest's is a blob, as crane and oras take it: an
 * index of BuildKit lists layers. If the source has no such blob, it is a manifest of a new type.
 */
async function copyChild(
  descriptor: Descriptor,
  index: Digest,
  copying: Copying,
  needed: PartsNeeded,
): Promise<void> {
  const manifest = () => copyManifest(descriptor, copying, { ...needed, namedBy: `index ${index}` });
  if (!mayBeBlob(descriptor)) return manifest();
  const { source, from } = copying.image;
  const { digest } = descriptor;
  const blob = await askSource(copying, { kind: 'blob', reference: digest }, (signal) =>
    source.statBlob(from.repository, digest, { signal }),
  );
  if (blob === undefined) return manifest();
  return copyBlob({ descriptor, namedBy: index, mustSend: needed.mustSend }, copying);
}

/**
 * What refers to the image, to its parts and to that, by lists of referrers or cosign's tags, each
 * with its content. Throws CopyError.
 */
export function copyReferrersOf(root: Node, copying: Copying): Promise<void> {
  return copyReferring(root.manifest.descriptor, copying, { depth: 0, seen: new Set(), node: root });
}

interface ReferrersWalk {
  /** Manifests above. */
  readonly depth: number;
  /** Subjects of this image: what refers to one may contain it. */
  readonly seen: Set<Digest>;
  /** The subject as the source has it. Default: it is read, if it is an index. */
  readonly node?: Node;
}

/**
 * Waits for content of others alone, never for their referrers: content has no circles, but what
 * refers to a manifest may list it, and two such may list each other's subject.
 */
async function copyReferring(
  subject: Descriptor,
  copying: Copying,
  { depth, seen, node }: ReferrersWalk,
): Promise<void> {
  const { digest } = subject;
  if (seen.has(digest)) return;
  seen.add(digest);
  if (depth > deepest) throw tooDeep(subject, copying);
  const below = { depth: depth + 1, seen };
  const needed = { mustSend: copying.image.force === true, depth: depth + 1 };
  const namedBy = `the list of referrers of ${digest}`;

  async function ofChildren(): Promise<void> {
    const read = node ?? (isIndex(subject) ? await fetchNode({ digest }, copying) : undefined);
    const children = read?.children.filter((child) => !mayBeBlob(child)) ?? [];
    await together(
      children.map((child) => copyReferring(child, copying, below)),
      copying,
    );
  }
  const listed = copyReferrers(subject, copying, async (referrer) => {
    await copyManifest(referrer, copying, { ...needed, namedBy });
    await copyReferring(referrer, copying, below);
  });
  const tagged = once(copying, placeOf(copying, 'cosign', digest), false, async () => {
    await together(
      cosignTags(digest).map((tag) => copyTagged(tag, copying, needed)),
      copying,
    );
    return 'present';
  });
  await together([ofChildren(), listed, tagged], copying);
}

/**
 * What cosign keeps under tags for the manifest and its children. One that cannot be copied for a
 * lasting reason, or with `if-possible` for any, is reported, and keeps no image back. Throws other
 * CopyErrors.
 */
export async function copyAttachments(root: Node, copying: Copying): Promise<void> {
  const { image, run } = copying;
  if (image.source.name === image.destination.name && image.from.repository === image.to.repository) return;
  const children = root.children.filter((child) => !mayBeBlob(child));
  const digests = [root.manifest.descriptor, ...children].map(({ digest }) => digest);
  const ours: Copying = { ...copying, giveUp: () => {} };
  const copy = async (tag: Tag): Promise<void> => {
    try {
      await copyTagged(tag, ours, { mustSend: false, depth: 1 });
    } catch (error) {
      const isFatal = image.attachments !== 'if-possible' && mayPass(error);
      if (!(error instanceof CopyError) || isFatal) throw error;
      run.events.attachmentFailed?.({ image, tag, failure: error });
    }
  };
  await together((await attachmentTags(digests, copying)).map(copy), ours);
}

/** Copies the tag's content, if any, to the same tag: it grows with each signature. */
async function copyTagged(tag: Tag, copying: Copying, needed: PartsNeeded): Promise<void> {
  const node = await fetchNode({ tag }, copying);
  if (node === undefined) return;
  const { descriptor } = node.manifest;
  const there = needed.mustSend ? undefined : await foundManifest({ tag }, copying);
  if (there?.digest === descriptor.digest && speaksForParts(descriptor, copying)) return;
  const parts = (mustSend: boolean) => copyParts(node, copying, { ...needed, mustSend });
  await parts(needed.mustSend);
  await publish(node, { tag }, copying, parts);
}

interface PartsNeeded {
  /** The destination's word that it has it is not enough. */
  readonly mustSend: boolean;
  /** Manifests above. */
  readonly depth: number;
}

interface ManifestNeeded extends PartsNeeded {
  /** What names it, for people. */
  readonly namedBy: string;
}

/** A manifest by its digest, with all below it. */
async function copyManifest(descriptor: Descriptor, copying: Copying, needed: ManifestNeeded): Promise<void> {
  if (needed.depth > deepest) throw tooDeep(descriptor, copying);
  await once(copying, placeOf(copying, 'manifest', descriptor.digest), needed.mustSend, () =>
    landed(descriptor, copying, needed),
  );
}

async function landed(
  descriptor: Descriptor,
  copying: Copying,
  { namedBy, ...needed }: ManifestNeeded,
): Promise<Landing> {
  const { digest } = descriptor;
  const isThere = !needed.mustSend && (await foundManifest({ digest }, copying)) !== undefined;
  if (isThere && speaksForParts(descriptor, copying)) return 'present';
  const node = await fetchNode({ digest }, copying);
  if (node === undefined) {
    throw missingPart(sourceSubject(copying, { kind: 'manifest', reference: digest }), namedBy);
  }
  const parts = (mustSend: boolean) => copyParts(node, copying, { ...needed, mustSend });
  await parts(needed.mustSend);
  if (isThere) return 'present';
  await publish(node, { digest }, copying, parts);
  return 'copied';
}

function tooDeep({ digest }: Descriptor, { image }: Copying): CopyError {
  const place = repositoryText(image.source.name, image.from.repository);
  return new CopyError(
    'manifest-invalid',
    `manifest ${digest} of ${place}: it is nested more than ${deepest} manifests deep: leave it out`,
  );
}
