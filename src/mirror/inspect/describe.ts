// Room `mirror/inspect`: looks at images without copying them. In: a reader and a reference. Out:
// what the image is, or what is wrong with it at its destination. Imports: base, mirror/copy,
// mirror/endpoints, mirror/images, oci.

import { inOrder } from '../../base/flow/each.ts';
import type { Expression } from '../../base/text/expression.ts';
import { field, listOf, parseJson } from '../../base/text/json.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Reference } from '../../oci/reference.ts';
import { isSchema1 } from '../../oci/schema1.ts';
import type { ManifestBytes } from '../endpoints/endpoints.ts';
import { isIndex } from '../images/graph.ts';
import { platformText } from '../images/platforms.ts';
import { type Attachment, attachmentsOf } from './attached.ts';
import type { DescribedPlatform, Gap, ImageDescription, ImagePlaceRead } from './description.ts';
import { gapOf } from './gaps.ts';
import { imageParts, legacyParts } from './parts.ts';

interface DescribeOptions {
  /** Of an index, the images for such `os/arch[/variant]`. */
  readonly filterByOs?: Pick<Expression, 'test' | 'toString'>;
  /** Of an index, its images instead of itself. Default false; a filter implies it. */
  readonly everyImage?: boolean;
  /** Whether referrers and signatures are looked for. */
  readonly referrers: boolean;
}

/**
 * What the image is; several for an index whose images are wanted. Throws `RegistryError`:
 * `MANIFEST_UNKNOWN` where there is no such image, or none for those platforms. A part that cannot
 * be read is a gap of its image.
 */
export async function describeImages(
  place: ImagePlaceRead,
  reference: Reference,
  { filterByOs, everyImage = false, referrers }: DescribeOptions,
): Promise<readonly ImageDescription[]> {
  const root = await manifestAt(place, reference);
  if (root === undefined) throw new RegistryError('MANIFEST_UNKNOWN', 'there is no such image');
  if (!isIndex(root.descriptor) || !(everyImage || filterByOs !== undefined))
    return [await described(root, undefined, place, referrers)];
  const platforms = platformsIn(root);
  const wanted = platforms.filter(({ platform }) => filterByOs === undefined || filterByOs.test(platform));
  if (wanted.length === 0) throw noneFits(platforms, filterByOs);
  return Array.fromAsync(
    inOrder(wanted, imagesAtOnce, async ({ digest, platform }) => {
      const child = await manifestAt(place, { digest });
      if (child !== undefined) return described(child, root.descriptor.digest, place, referrers);
      const message = `the list has ${digest} for ${platform}, and the registry does not have that manifest`;
      throw new RegistryError('MANIFEST_UNKNOWN', message);
    }),
  );
}

/** A list may name thousands of images, each with some MB of documents. */
const imagesAtOnce = 6;

async function manifestAt(
  { reader, repository, signal }: ImagePlaceRead,
  reference: Reference,
): Promise<ManifestBytes | undefined> {
  const answer = await reader.manifest(repository, reference, { signal });
  if (answer.kind !== 'found' || answer.bytes === undefined) return undefined;
  return { descriptor: answer.descriptor, bytes: answer.bytes };
}

async function described(
  manifest: ManifestBytes,
  listDigest: Digest | undefined,
  place: ImagePlaceRead,
  referrers: boolean,
): Promise<ImageDescription> {
  const { descriptor } = manifest;
  const { digest, mediaType, size: manifestSize } = descriptor;
  const subjects = listDigest === undefined ? [digest] : [digest, listDigest];
  const [parts, attached] = await Promise.all([
    isIndex(descriptor)
      ? { layers: [], platforms: platformsIn(manifest), gaps: [] }
      : (isSchema1(descriptor) ? legacyParts : imageParts)(manifest, place),
    referrers ? attachedTo(subjects, place) : { gaps: [] },
  ]);
  return {
    digest,
    mediaType,
    manifestSize,
    isSchema1: isSchema1(descriptor),
    isIndex: isIndex(descriptor),
    platforms: [],
    ...(listDigest === undefined ? {} : { listDigest }),
    ...parts,
    ...attached,
    gaps: [...parts.gaps, ...attached.gaps],
  };
}

async function attachedTo(
  subjects: readonly Digest[],
  place: ImagePlaceRead,
): Promise<{ readonly attached?: readonly Attachment[]; readonly gaps: readonly Gap[] }> {
  try {
    return { attached: await attachmentsOf(subjects, place), gaps: [] };
  } catch (error) {
    place.signal.throwIfAborted();
    return { gaps: [gapOf('referrers', error)] };
  }
}

function platformsIn({ bytes }: ManifestBytes): readonly DescribedPlatform[] {
  return listOf(field(parseJson(bytes), 'manifests')).flatMap((entry) => {
    const digest = field(entry, 'digest');
    return isDigest(digest) ? [{ digest, platform: platformText(entry), entry }] : [];
  });
}

function noneFits(
  platforms: readonly DescribedPlatform[],
  filter: DescribeOptions['filterByOs'],
): RegistryError {
  const has = platforms.map(({ platform }) => platform).join(', ');
  const message = `no image of the list is for an OS/ARCH that fits ${filter}: it has ${has === '' ? 'none' : has}`;
  return new RegistryError('MANIFEST_UNKNOWN', message);
}
