import type { TypedDescriptor } from '../../src/load/images/random-blobs.ts';
import { type GeneratedImage, generatedImage } from '../../test/support/images.ts';

const platforms = ['linux/amd64', 'linux/arm64'] as const;

/** What the upstream of the tour holds. */
export interface DemoImages {
  /** Two platforms, three layers each, the last of 200 MB. */
  readonly app: GeneratedImage;
  /** One layer of 64 MB. */
  readonly model: GeneratedImage;
}

/** Makes them; the bytes are the same each time. */
export async function demoImages(): Promise<DemoImages> {
  return {
    app: await generatedImage({
      seed: 'demo app',
      layers: [500_000, 20_000_000, 200_000_000],
      platforms,
      mediaTypes: 'oci',
    }),
    model: await generatedImage({ seed: 'demo model', layers: [64_000_000], mediaTypes: 'docker' }),
  };
}

/** What a client of one platform gets: index, manifest, config and layers, in bytes. */
export function platformBytes(image: GeneratedImage, platform: string): number {
  const manifest = image.manifests.find((each) => each.platform === platform);
  const listed = new TextDecoder().decode(manifest?.bytes);
  const blobs = image.blobs.filter(({ descriptor }) => listed.includes(descriptor.digest));
  const manifests = (manifest?.descriptor.size ?? 0) + (image.index?.descriptor.size ?? 0);
  return blobs.reduce((sum, { descriptor }) => sum + descriptor.size, manifests);
}

/** The manifests of the other platforms, which a cache fetches behind the answer of the index. */
export function otherManifestBytes(image: GeneratedImage, platform: string): number {
  const others = image.manifests.filter((each) => each.platform !== platform);
  return others.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

/** The largest layer of one platform. */
export function largestLayer(image: GeneratedImage, platform: string): TypedDescriptor {
  const manifest = image.manifests.find((each) => each.platform === platform);
  const listed = new TextDecoder().decode(manifest?.bytes);
  const [largest] = image.blobs
    .map(({ descriptor }) => descriptor)
    .filter(({ digest }) => listed.includes(digest))
    .toSorted((a, b) => b.size - a.size);
  if (largest === undefined) throw new Error(`no layer for ${platform}`);
  return largest;
}
