import type { Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import type { Repository } from '../../src/oci/reference.ts';
import { referrersTag } from '../../src/oci/referrers-tag.ts';
import type { RegistryDouble } from './registry-double.ts';

/** Content by its bytes: layers of the same text are the same layer. */
interface FlatRepository {
  /** An image; of no tag without one. */
  image(layers: readonly string[], ...tags: string[]): FlatImage;
  index(children: readonly Digest[], ...tags: string[]): Digest;
  /** What refers to a manifest: a signature, an attestation. */
  artifact(subject: Digest, payload: string): FlatImage;
  /** What clients push where there is no referrers API. */
  fallbackIndex(subject: Digest, artifacts: readonly Digest[]): Digest;
}

interface FlatImage {
  readonly digest: Digest;
  readonly config: Digest;
  readonly layers: readonly Digest[];
  /** The manifest, the config and the layers. */
  readonly all: readonly Digest[];
}

/** Puts images of shared layers into one repository of the double, as CI does. */
export function flatRepository(double: RegistryDouble, repository: Repository): FlatRepository {
  const layerType = 'application/vnd.oci.image.layer.v1.tar';
  const configType = 'application/vnd.oci.image.config.v1+json';
  const kept = new Map<Digest, number>();

  const descriptor = (text: string, mediaType: string) => {
    const bytes = Buffer.from(text);
    return { mediaType, digest: double.addBlob(repository, bytes), size: bytes.length };
  };

  function manifest(body: object, mediaType: string, tags: readonly string[]): Digest {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...body }));
    const digest = double.addManifest(repository, bytes, mediaType, ...tags);
    kept.set(digest, bytes.length);
    return digest;
  }

  function image(layers: readonly string[], tags: readonly string[], more: object = {}): FlatImage {
    const config = descriptor(JSON.stringify({ layers, more }), configType);
    const listed = layers.map((layer) => descriptor(layer, layerType));
    const digest = manifest({ config, layers: listed, ...more }, mediaTypes.ociManifest, tags);
    const digests = listed.map((layer) => layer.digest);
    return { digest, config: config.digest, layers: digests, all: [digest, config.digest, ...digests] };
  }

  const manifestDescriptor = (digest: Digest) => ({
    mediaType: mediaTypes.ociManifest,
    digest,
    size: kept.get(digest) ?? 0,
  });

  function index(children: readonly Digest[], ...tags: string[]): Digest {
    return manifest({ manifests: children.map(manifestDescriptor) }, mediaTypes.ociIndex, tags);
  }

  return {
    image: (layers, ...tags) => image(layers, tags),
    index,
    artifact: (subject, payload) => image([payload], [], { subject: manifestDescriptor(subject) }),
    fallbackIndex: (subject, artifacts) => index(artifacts, referrersTag(subject)),
  };
}
