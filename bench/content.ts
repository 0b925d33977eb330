import { type GeneratedImage, generatedImage, pushImage } from '../test/support/images.ts';
import type { Form } from './form.ts';

/** A blob of the upstream, as clients ask for it. */
interface BlobOnOffer {
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/** What stands in the upstream; the same bytes on every machine. */
export interface Offer {
  readonly image: GeneratedImage;
  /** A manifest by tag and by digest. */
  readonly manifest: { readonly byTag: string; readonly byDigest: string };
  /** 2 MB: too large for Quayside's memory. */
  readonly small: BlobOnOffer;
  /**
   * Small things that nothing measures, for a program to become warm on: two manifests, their
   * configs and layers.
   */
  readonly warmUpPaths: readonly string[];
  /** Blobs of stated sizes, by their name. */
  readonly sizes: Readonly<Record<string, BlobOnOffer>>;
  /** Images by their number of layers and their size: the manifest, and then what it names. */
  readonly shapes: Readonly<Record<string, readonly string[]>>;
  /** 200 MB. */
  readonly layer: BlobOnOffer;
  /** An image of ordinary size, 44 MB: its manifest, and then its config and eight layers. */
  readonly ordinary: readonly string[];
  /** Everything below a path of the offer, streamed; for a server that is given files. */
  readonly bodies: Readonly<Record<string, () => AsyncIterable<Uint8Array>>>;
}

const mebibyte = 1024 ** 2;
const blobSizes = {
  '100 kB': 100_000,
  '1 MiB': mebibyte,
  '10 MiB': 10 * mebibyte,
  '30 MiB': 30 * mebibyte,
} as const;
const imageShapes: readonly (readonly [layers: number, bytes: number, name: string])[] = [
  [1, 1e5, '1 layer, 100 kB'],
  [8, 1e5, '8 layers, 100 kB'],
  [50, 1e5, '50 layers, 100 kB'],
  [1, 1e7, '1 layer, 10 MB'],
  [8, 1e7, '8 layers, 10 MB'],
  [50, 1e7, '50 layers, 10 MB'],
  [1, 1e9, '1 layer, 1 GB'],
  [8, 1e9, '8 layers, 1 GB'],
  [50, 1e9, '50 layers, 1 GB'],
];
const ordinarySizes = [20, 10, 6, 4, 2, 1, 0.7, 0.3].map((megabytes) => megabytes * 1e6);
const crumbSizes = Array.from({ length: 20 }, (_, index) => 300_000 + index * 512);

/** Whether a shape is too large to be one of several. */
export function isHuge(name: string): boolean {
  return name.endsWith('GB');
}

function shapesOf({ name }: Form): typeof imageShapes {
  return imageShapes.filter(([, , shape]) => name !== 'short' || !isHuge(shape));
}

/** Pushes the images of the bench to an empty registry. */
export async function offer(registry: string, form: Form): Promise<Offer> {
  const image = await generatedImage({
    seed: 'bench',
    layers: [40_000, 400_000, 2_000_000],
    mediaTypes: 'oci',
  });
  const sized = await generatedImage({
    seed: 'bench sizes',
    layers: Object.values(blobSizes),
    mediaTypes: 'oci',
  });
  const layerImage = await generatedImage({ seed: 'bench layer', layers: [200_000_000], mediaTypes: 'oci' });
  const crumbs = await generatedImage({ seed: 'bench warm-up', layers: crumbSizes, mediaTypes: 'oci' });
  const ordinary = await generatedImage({ seed: 'bench ordinary', layers: ordinarySizes, mediaTypes: 'oci' });
  await pushImage(registry, 'bench/ordinary', 'v1', ordinary);
  await pushImage(registry, 'bench/image', 'v1', image);
  await pushImage(registry, 'bench/warm-up', 'v1', crumbs);
  await pushImage(registry, 'bench/sizes', 'v1', sized);
  const shapes: Record<string, readonly string[]> = {};
  for (const [index, [layers, bytes, name]] of shapesOf(form).entries()) {
    const sizes = Array.from({ length: layers }, () => Math.ceil(bytes / layers));
    const shaped = await generatedImage({ seed: `bench ${name}`, layers: sizes, mediaTypes: 'oci' });
    await pushImage(registry, `bench/shape-${index}`, 'v1', shaped);
    shapes[name] = pathsOf(`bench/shape-${index}`, shaped);
  }
  await pushImage(registry, 'bench/layer', 'v1', layerImage);
  const { digest } = image.root.descriptor;
  const manifest = { byTag: '/v2/bench/image/manifests/v1', byDigest: `/v2/bench/image/manifests/${digest}` };
  const sizes = blobsBySize('bench/sizes', sized);
  const layer = largest('bench/layer', layerImage);
  return {
    image,
    ordinary: pathsOf('bench/ordinary', ordinary),
    manifest,
    small: largest('bench/image', image),
    warmUpPaths: [...pathsOf('bench/image', image), ...pathsOf('bench/warm-up', crumbs)],
    sizes,
    shapes,
    layer,
    bodies: {
      ...bodiesOf('bench/ordinary', ordinary),
      ...bodiesOf('bench/sizes', sized),
      [manifest.byTag]: () => whole(image.root.bytes),
      [manifest.byDigest]: () => whole(image.root.bytes),
    },
  };
}

function pathsOf(repository: string, image: GeneratedImage): readonly string[] {
  const blobs = image.blobs.map(({ descriptor }) => `/v2/${repository}/blobs/${descriptor.digest}`);
  return [`/v2/${repository}/manifests/v1`, ...blobs];
}

function bodiesOf(repository: string, image: GeneratedImage): Offer['bodies'] {
  const blobs = image.blobs.map((blob) => [
    `/v2/${repository}/blobs/${blob.descriptor.digest}`,
    () => blob.body(),
  ]);
  return {
    [`/v2/${repository}/manifests/v1`]: () => whole(image.root.bytes),
    ...Object.fromEntries(blobs),
  };
}

function largest(repository: string, image: GeneratedImage): BlobOnOffer {
  const [first] = image.blobs.toSorted((a, b) => b.descriptor.size - a.descriptor.size);
  if (first === undefined) throw new Error('an image without blobs');
  const { digest, size } = first.descriptor;
  return { path: `/v2/${repository}/blobs/${digest}`, digest, size };
}

/** The blobs nearest to the stated sizes: a small layer is packed, and a little larger. */
function blobsBySize(repository: string, image: GeneratedImage): Offer['sizes'] {
  const named = Object.entries(blobSizes).map(([name, wanted]) => {
    const [nearest] = image.blobs.toSorted(
      (a, b) => Math.abs(a.descriptor.size - wanted) - Math.abs(b.descriptor.size - wanted),
    );
    if (nearest === undefined) throw new Error('an image without blobs');
    const { digest, size } = nearest.descriptor;
    return [name, { path: `/v2/${repository}/blobs/${digest}`, digest, size }] as const;
  });
  return Object.fromEntries(named);
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
