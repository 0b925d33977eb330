import type { ManifestBytes } from '../../src/mirror/endpoints/endpoints.ts';
import type { Descriptor } from '../../src/oci/content.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';

/** A manifest with everything below it, in memory. */
export interface MemoryImage {
  readonly root: ManifestBytes;
  /** The root and every manifest below it, children first. */
  readonly manifests: readonly ManifestBytes[];
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
}

export interface MemoryBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A blob of that text, repeated to `size` bytes. */
export function textBlob(text: string, size = text.length): MemoryBlob {
  const bytes = Buffer.alloc(size, text);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  return { descriptor: { digest: digestOf(bytes), size, mediaType }, bytes };
}

interface PlainOptions {
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly docker?: boolean;
  /** Added to the layers as they are; no server has their bytes. */
  readonly otherLayers?: readonly object[];
}

/** One manifest over a config of its own and those layers. */
export function plainImage(
  config: string,
  layers: readonly MemoryBlob[],
  options: PlainOptions = {},
): MemoryImage {
  const configBlob = textBlob(`{"config":"${config}"}`);
  const { subject, artifactType, docker, otherLayers = [] } = options;
  const root = manifestBytes(docker === true ? mediaTypes.dockerManifest : mediaTypes.ociManifest, {
    config: configBlob.descriptor,
    layers: [...layers.map(({ descriptor }) => descriptor), ...otherLayers],
    ...(subject === undefined ? {} : { subject }),
    ...(artifactType === undefined ? {} : { artifactType }),
  });
  const blobs = new Map([configBlob, ...layers].map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  return { root, manifests: [root], blobs };
}

/**
 * An index over those images, each with its platform `os/arch[/variant]`; an empty text is no
 * platform.
 */
export function indexImage(
  children: readonly (readonly [platform: string, image: MemoryImage])[],
  mediaType: string = mediaTypes.ociIndex,
): MemoryImage {
  const entries = children.map(([platform, { root }]) => ({
    ...root.descriptor,
    ...platformField(platform),
  }));
  const root = manifestBytes(mediaType, { manifests: entries });
  const images = children.map(([, image]) => image);
  return {
    root,
    manifests: [...images.flatMap(({ manifests }) => manifests), root],
    blobs: new Map(images.flatMap(({ blobs }) => [...blobs])),
  };
}

/** A manifest with those fields. */
export function manifestBytes(mediaType: string, fields: object): ManifestBytes {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }, undefined, 3));
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength }, bytes };
}

function platformField(platform: string): object {
  if (platform === '') return {};
  const [os, architecture, variant] = platform.split('/');
  return { platform: { architecture, os, ...(variant === undefined ? {} : { variant }) } };
}
