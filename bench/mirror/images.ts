import { type GeneratedImage, generatedImage, pushImage } from '../../test/support/images.ts';

/**
 * Bytes of the layer that all images share, of the one that a family shares, and of an image's own.
 */
interface Layers {
  readonly shared: number;
  readonly family: number;
  readonly own: number;
}

export interface ImageSet {
  readonly count: number;
  readonly layers: Layers;
}

/** An image of the source, by the name it has there. */
export interface MirroredImage {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const families = 10;
/** Sizes tell layers apart, in whole blocks of a tar. */
const block = 512;

/** Pushes the set to a registry: every family is a repository, every image a tag of it. */
export async function pushedImages(
  origin: string,
  { count, layers: { shared, family, own } }: ImageSet,
): Promise<readonly MirroredImage[]> {
  const images: MirroredImage[] = [];
  for (let index = 0; index < count; index += 1) {
    const number = index % families;
    const image: GeneratedImage = await generatedImage({
      seed: 'bench mirror',
      layers: [shared, family + number * block, own + index * block],
      mediaTypes: 'oci',
    });
    const { digest } = image.root.descriptor;
    const place = { repository: `bench/family-${number}`, tag: `v${index}`, digest };
    await pushImage(origin, place.repository, place.tag, image);
    images.push(place);
  }
  return images;
}

/** The bytes of all blobs, each once. */
export function bytesOf({ count, layers: { shared, family, own } }: ImageSet): number {
  return shared + Math.min(families, count) * family + count * own;
}
