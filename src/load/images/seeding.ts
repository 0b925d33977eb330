// Room `load/images`: images of a model as bytes, at the registry that is to have them. In: a
// model, a registry. Out: pushed images, moved tags, lists of what is there. Imports: base, load,
// load/client, load/model, oci, upstream, upstream/client, upstream/push; types of load/traces.

import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import { createRegistryWriter, type RegistryWriter } from '../../upstream/push/writer.ts';
import type { LoadTarget } from '../client/target.ts';
import { type ImageModel, type ModelImage, modelImages } from '../model/images.ts';
import { bytesOf, pushedImage } from './pushed-image.ts';

/** What a seeding has done so far. */
export interface SeedProgress {
  readonly images: number;
  readonly of: number;
  readonly sentBytes: number;
  readonly foundBytes: number;
}

interface SeedOptions {
  readonly signal: AbortSignal;
  /** More than this is not pushed, bytes: an Error says so before anything is. */
  readonly maxBytes: number;
  readonly progress: (progress: SeedProgress) => void;
}

/** A registry that a load writes to. */
function writerTo(target: LoadTarget): RegistryWriter {
  const { url, caFile, authFile, usernameFile, passwordFile } = target;
  const pair = usernameFile !== undefined && passwordFile !== undefined;
  const credentials =
    authFile !== undefined ? { authFile } : pair ? { usernameFile, passwordFile } : undefined;
  return createRegistryWriter({
    name: new URL(url).host,
    url,
    proxy: 'none',
    allowPrivateAddresses: true,
    ...(caFile === undefined ? {} : { caFile }),
    ...(credentials === undefined ? {} : { credentials }),
  });
}

/** The bytes of the layers of these images, each layer once. */
function bytesOfModel(images: readonly ModelImage[]): number {
  const layers = new Map(images.flatMap((image) => image.layers.map(({ seed, bytes }) => [seed, bytes])));
  return [...layers.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Pushes every image of the model. What is there already is found by its digest, and not sent. */
export async function seeded(
  registry: LoadTarget,
  model: ImageModel,
  { signal, maxBytes, progress }: SeedOptions,
): Promise<SeedProgress> {
  const images = modelImages(model);
  const bytes = bytesOfModel(images);
  if (bytes > maxBytes)
    throw new RegistryError(
      'SIZE_INVALID',
      `the images have ${bytes} bytes, more than the ${maxBytes} of --max-bytes`,
    );
  const writer = writerTo(registry);
  const known = new Map<string, Repository>();
  let done: SeedProgress = { images: 0, of: images.length, sentBytes: 0, foundBytes: 0 };
  try {
    for (const image of images) {
      signal.throwIfAborted();
      const { sentBytes, foundBytes } = await pushedImage(writer, image, await bytesOf(image), known, {
        signal,
      });
      done = {
        ...done,
        images: done.images + 1,
        sentBytes: done.sentBytes + sentBytes,
        foundBytes: done.foundBytes + foundBytes,
      };
      progress(done);
    }
    return done;
  } finally {
    await writer.close();
  }
}

/** Moves tags of the model's images, at the registry behind the target. */
export interface TagMover {
  /** The tag points to the next version of its image when this resolves. */
  moved(repository: string, tag: string): Promise<void>;
  close(): Promise<void>;
}

/** Moves nothing before the first call. */
export function createTagMover(registry: LoadTarget, model: ImageModel): TagMover {
  const images = new Map(modelImages(model).map((image) => [image.repository as string, image]));
  const versions = new Map<string, number>();
  const writer = writerTo(registry);
  const known = new Map<string, Repository>();
  return {
    async moved(repository) {
      const image = images.get(repository);
      if (image === undefined) throw new Error(`${repository} is no image of the model`);
      const version = (versions.get(repository) ?? 0) + 1;
      versions.set(repository, version);
      await pushedImage(writer, image, await bytesOf(image, version), known);
    },
    close: () => writer.close(),
  };
}
