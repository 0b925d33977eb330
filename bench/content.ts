import { type GeneratedImage, generatedImage, pushImage } from '../test/support/images.ts';

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
  /** 1 GiB. */
  readonly big: BlobOnOffer;
  /** 200 MB. */
  readonly layer: BlobOnOffer;
  /** An image of ordinary size, 44 MB: its manifest, and then its config and eight layers. */
  readonly ordinary: readonly string[];
  /** Everything below a path of the offer, streamed; for a server that is given files. */
  readonly bodies: Readonly<Record<string, () => AsyncIterable<Uint8Array>>>;
}

const gibibyte = 1024 ** 3;
const ordinarySizes = [20, 10, 6, 4, 2, 1, 0.7, 0.3].map((megabytes) => megabytes * 1e6);
const crumbSizes = Array.from({ length: 20 }, (_, index) => 300_000 + index * 512);

/** Pushes the images of the bench to an empty registry. */
export async function offer(registry: string): Promise<Offer> {
  const image = await generatedImage({
    seed: 'bench',
    layers: [40_000, 400_000, 2_000_000],
    mediaTypes: 'oci',
  });
  const bigImage = await generatedImage({ seed: 'bench big', layers: [gibibyte], mediaTypes: 'oci' });
  const layerImage = await generatedImage({ seed: 'bench layer', layers: [200_000_000], mediaTypes: 'oci' });
  const crumbs = await generatedImage({ seed: 'bench warm-up', layers: crumbSizes, mediaTypes: 'oci' });
  const ordinary = await generatedImage({ seed: 'bench ordinary', layers: ordinarySizes, mediaTypes: 'oci' });
  await pushImage(registry, 'bench/ordinary', 'v1', ordinary);
  await pushImage(registry, 'bench/image', 'v1', image);
  await pushImage(registry, 'bench/warm-up', 'v1', crumbs);
  await pushImage(registry, 'bench/big', 'v1', bigImage);
  await pushImage(registry, 'bench/layer', 'v1', layerImage);
  const { digest } = image.root.descriptor;
  const manifest = { byTag: '/v2/bench/image/manifests/v1', byDigest: `/v2/bench/image/manifests/${digest}` };
  const big = largest('bench/big', bigImage);
  const layer = largest('bench/layer', layerImage);
  return {
    image,
    ordinary: pathsOf('bench/ordinary', ordinary),
    manifest,
    small: largest('bench/image', image),
    warmUpPaths: [...pathsOf('bench/image', image), ...pathsOf('bench/warm-up', crumbs)],
    big,
    layer,
    bodies: {
      ...bodiesOf('bench/ordinary', ordinary),
      [manifest.byTag]: () => whole(image.root.bytes),
      [manifest.byDigest]: () => whole(image.root.bytes),
      [big.path]: () => bodyOf(bigImage, big.digest),
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

function bodyOf(image: GeneratedImage, digest: string): AsyncIterable<Uint8Array> {
  const blob = image.blobs.find(({ descriptor }) => descriptor.digest === digest);
  if (blob === undefined) throw new Error(`no blob ${digest}`);
  return blob.body();
}

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
