/**
 * Images made from a seed: the same seed gives the same bytes on every machine, incompressible,
 * with layers that real clients unpack (a tar of one file, its `diff_id` right in the config). A
 * large layer is never held in memory: its bytes come from an AES-CTR keystream, once for the
 * digest and again for each reader.
 */
import { gzipSync } from 'node:zlib';
import { type Digest, digestOf } from '../../oci/digest.ts';
import {
  type GeneratedBlob,
  heldBlob,
  streamedBlob,
  type TypedDescriptor,
  tarOfOne,
  wholeOf,
} from './random-blobs.ts';

export interface GeneratedManifest {
  readonly descriptor: TypedDescriptor;
  readonly bytes: Uint8Array;
  /** `linux/amd64` and the like; an index and an artifact have none. */
  readonly platform?: string;
  /** An artifact's own; a list of referrers repeats it. */
  readonly artifactType?: string;
}

export interface GeneratedImage {
  /** What the tag points to: the index where there is one, else the only manifest. */
  readonly root: GeneratedManifest;
  /** One manifest a platform. */
  readonly manifests: readonly GeneratedManifest[];
  readonly index?: GeneratedManifest;
  /** Configs and layers of all platforms, each digest once. */
  readonly blobs: readonly GeneratedBlob[];
}

export interface ImageOptions {
  /** Decides every byte. */
  readonly seed: string;
  /** What decides those of a layer, by its index: images share a layer by sharing this. */
  readonly layerSeed?: (index: number) => string | undefined;
  /**
   * The size of each layer in bytes, rounded up to a tar's 512. Up to 1 MiB the layer is a tar.gz
   * (and a little larger than said), above that a plain tar of exactly that size.
   */
  readonly layers: readonly number[];
  /** Default: one manifest for `linux/amd64` and no index. Each platform gets layers of its own. */
  readonly platforms?: readonly string[];
  /** Whose media types. */
  readonly mediaTypes: 'oci' | 'docker';
  /** When it says that it was built. Default: at the beginning of the epoch. */
  readonly created?: string;
}

/** Media types of an image. */
export const families = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    tar: 'application/vnd.oci.image.layer.v1.tar',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    tar: 'application/vnd.docker.image.rootfs.diff.tar',
  },
} as const;

const largestGzip = 1024 * 1024;

/**
 * An image of random layers; with several platforms an index over them (image-spec, "Image Index").
 */
export async function generatedImage(options: ImageOptions): Promise<GeneratedImage> {
  const platforms = options.platforms ?? ['linux/amd64'];
  const built = await Promise.all(platforms.map((platform) => platformImage(options, platform)));
  const manifests = built.map(({ manifest }) => manifest);
  const blobs = uniqueBlobs(built.flatMap((each) => each.blobs));
  const [first] = manifests;
  if (first === undefined) throw new Error('an image needs a platform');
  if (options.platforms === undefined || manifests.length === 1) return { root: first, manifests, blobs };
  const index = indexOf(manifests, families[options.mediaTypes].index);
  return { root: index, manifests, index, blobs };
}

interface Built {
  readonly manifest: GeneratedManifest;
  readonly blobs: readonly GeneratedBlob[];
}

interface Layer {
  readonly blob: GeneratedBlob;
  readonly diffId: Digest;
}

async function platformImage(options: ImageOptions, platform: string): Promise<Built> {
  const types = families[options.mediaTypes];
  const layers: Layer[] = [];
  for (const [index, size] of options.layers.entries()) {
    const own = options.layerSeed?.(index) ?? `${options.seed}/${platform}/${index}`;
    layers.push(await layerOf(own, `layer-${index}`, size, types));
  }
  const [os = 'linux', architecture = 'amd64', variant] = platform.split('/');
  const config = heldBlob(
    jsonBytes({
      created: options.created ?? '1970-01-01T00:00:00Z',
      architecture,
      os,
      ...(variant === undefined ? {} : { variant }),
      config: { Labels: { seed: options.seed } },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map((_, index) => ({ created: '1970-01-01T00:00:00Z', created_by: `layer ${index}` })),
    }),
    types.config,
  );
  const blobs = [config, ...layers.map(({ blob }) => blob)];
  const { root } = manifestOf(types.manifest, {
    config: config.descriptor,
    layers: layers.map(({ blob }) => blob.descriptor),
  });
  return { manifest: { ...root, platform }, blobs };
}

async function layerOf(
  seed: string,
  fileName: string,
  size: number,
  types: (typeof families)[keyof typeof families],
): Promise<Layer> {
  const tar = tarOfOne(seed, fileName, size);
  if (tar.size > largestGzip) {
    const blob = await streamedBlob(tar.bytes, tar.size, types.tar);
    return { blob, diffId: blob.descriptor.digest };
  }
  const plain = await wholeOf(tar.bytes(0));
  return { blob: heldBlob(gzipSync(plain, { level: 1 }), types.gzip), diffId: digestOf(plain) };
}

/** A document of this type with these fields, and its descriptor. */
export function manifestOf(
  mediaType: string,
  fields: Readonly<Record<string, unknown>>,
): { root: GeneratedManifest } {
  const bytes = jsonBytes({ schemaVersion: 2, mediaType, ...fields });
  return { root: { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength }, bytes } };
}

/** An index over them (image-spec, "Image Index"). */
export function indexOf(manifests: readonly GeneratedManifest[], mediaType: string): GeneratedManifest {
  const entries = manifests.map(({ descriptor, platform, artifactType }) => ({
    ...descriptor,
    ...platformField(platform),
    ...(artifactType === undefined ? {} : { artifactType }),
  }));
  return manifestOf(mediaType, { manifests: entries }).root;
}

function platformField(platform: string | undefined): Readonly<Record<string, unknown>> {
  if (platform === undefined) return {};
  const [os, architecture, variant] = platform.split('/');
  return { platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
}

function uniqueBlobs(blobs: readonly GeneratedBlob[]): readonly GeneratedBlob[] {
  return [...new Map(blobs.map((blob) => [blob.descriptor.digest, blob])).values()];
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value, undefined, 2));
}
