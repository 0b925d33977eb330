import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { namedBytes } from '../../src/oci/schema1.ts';

/** What one repository holds. */
export interface DoubleRepository {
  readonly blobs: Map<Digest, Buffer>;
  readonly manifests: Map<Digest, { readonly bytes: Buffer; readonly mediaType: string }>;
  readonly tags: Map<string, Digest>;
}

/** An image that addImage made. */
export interface DoubleImage {
  readonly digest: Digest;
  readonly manifest: Buffer;
  readonly config: Digest;
  readonly layers: readonly { readonly digest: Digest; readonly bytes: Buffer }[];
}

export type Repositories = Map<string, DoubleRepository>;

/** The repository, made when it is new. */
export function repositoryOf(repositories: Repositories, name: string): DoubleRepository {
  const found = repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
  repositories.set(name, found);
  return found;
}

/** Keeps a blob, under its digest unless told otherwise. */
export function addBlob(
  repositories: Repositories,
  repository: string,
  bytes: Uint8Array,
  digest: Digest = digestOf(bytes),
): Digest {
  repositoryOf(repositories, repository).blobs.set(digest, Buffer.from(bytes));
  return digest;
}

/** Keeps a manifest under its tags and its digest, unless told another. */
export function addManifest(
  repositories: Repositories,
  repository: string,
  bytes: Uint8Array,
  mediaType: string,
  tags: readonly string[],
  digest: Digest = digestOf(namedBytes(bytes, mediaType)),
): Digest {
  const held = repositoryOf(repositories, repository);
  held.manifests.set(digest, { bytes: Buffer.from(bytes), mediaType });
  for (const tag of tags) held.tags.set(tag, digest);
  return digest;
}

/** Keeps an image that is made from the tag and the layers' sizes. */
export function addImage(
  repositories: Repositories,
  repository: string,
  tag: string,
  sizes: readonly number[],
): DoubleImage {
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', made: { tag, sizes } }));
  const layers = sizes.map((size, index) => {
    const bytes = patterned(size, `${tag} ${index}`);
    return { digest: addBlob(repositories, repository, bytes), bytes };
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: addBlob(repositories, repository, config),
        size: config.length,
      },
      layers: layers.map(({ digest, bytes }) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest,
        size: bytes.length,
      })),
    }),
  );
  const digest = addManifest(repositories, repository, manifest, mediaTypes.ociManifest, [tag]);
  return { digest, manifest, config: digestOf(config), layers };
}

/**
 * Bytes that differ at every offset that matters, so that a part served from the wrong place is
 * seen.
 */
export function patterned(size: number, seed: string): Buffer {
  const bytes = Buffer.alloc(size, seed);
  for (let offset = 0; offset + 4 <= size; offset += 64) bytes.writeUInt32BE(offset, offset);
  return bytes;
}
