import type { Repository } from '../../oci/reference.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import type { RegistryWriter } from '../../upstream/push/writer.ts';
import type { ModelImage } from '../model/images.ts';
import { type GeneratedImage, generatedImage } from './generated-image.ts';

const mediaTypes = 'oci';

/** The bytes of an image of the model. Each version has a layer of its own on top. */
export function bytesOf({ seed, layers }: ModelImage, version = 0): Promise<GeneratedImage> {
  const top = layers.length - 1;
  return generatedImage({
    seed: `${seed} version ${version}`,
    layers: layers.map(({ bytes }) => bytes),
    layerSeed: (index) => (index === top && version > 0 ? undefined : layers[index]?.seed),
    mediaTypes,
  });
}

/** What a push sent, bytes, and what the registry had already. */
interface PushedBytes {
  readonly sentBytes: number;
  readonly foundBytes: number;
}

/**
 * Pushes an image: blobs that the registry lacks, then manifests, then the tag. `known` has blobs
 * of earlier images and their repositories, from which it mounts, and is added to.
 */
export async function pushedImage(
  writer: RegistryWriter,
  { repository, tag }: Pick<ModelImage, 'repository' | 'tag'>,
  image: GeneratedImage,
  known: Map<string, Repository>,
  options: Cancellable = {},
): Promise<PushedBytes> {
  let sentBytes = 0;
  let foundBytes = 0;
  for (const { descriptor, body } of image.blobs) {
    const { digest, size } = descriptor;
    const from = known.get(digest);
    const isThere =
      (await writer.statBlob(repository, digest, options)) !== undefined ||
      (from !== undefined &&
        from !== repository &&
        (await writer.mountBlob(repository, digest, from, options)));
    if (!isThere) await writer.putBlob(repository, descriptor, async (start) => body(start), options);
    if (isThere) foundBytes += size;
    else sentBytes += size;
    known.set(digest, repository);
  }
  for (const manifest of [...image.manifests, image.root])
    await writer.putManifest(repository, { digest: manifest.descriptor.digest }, manifest, options);
  await writer.putManifest(repository, { tag }, image.root, options);
  return { sentBytes, foundBytes };
}
