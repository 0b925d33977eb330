import type { Reference } from '../../oci/reference.ts';
import { parseReference, parseRepository, parseTag, type Repository, type Tag } from '../../oci/reference.ts';
import { createRandom } from './random.ts';
import { type SizePoint, sizeAt } from './sizes.ts';

/** An image that a load may ask for. */
export interface LoadImage {
  readonly repository: Repository;
  readonly reference: Reference;
}

/** What generated images look like. Plain JSON. */
export interface ImageModel {
  readonly count: number;
  /** Layers of an image: from and to. */
  readonly layers: readonly [number, number];
  readonly sizes: readonly SizePoint[];
  /** Of the layers of each image the first ones, which a family of `familySize` images shares. */
  readonly sharedShare: number;
  readonly familySize: number;
  /** Decides all of it. */
  readonly seed: number;
  /** Before the names of the repositories. */
  readonly prefix: string;
}

/** One generated image: its layers by what decides their bytes. */
export interface ModelImage {
  readonly repository: Repository;
  readonly tag: Tag;
  readonly seed: string;
  readonly layers: readonly { readonly seed: string; readonly bytes: number }[];
}

/** The images of a model, the most wanted first. The same model gives the same images. */
export function modelImages(model: ImageModel): readonly ModelImage[] {
  return Array.from({ length: model.count }, (_, index) => modelImage(model, index));
}

/** One of them, by its rank from 0. */
export function modelImage(
  { layers, sizes, sharedShare, familySize, seed, prefix }: ImageModel,
  index: number,
): ModelImage {
  const family = Math.floor(index / familySize);
  const ofImage = createRandom(seed * 7_919 + index);
  const ofFamily = createRandom(seed * 104_729 + family + 1);
  const [least, most] = layers;
  const count = least + Math.floor(ofImage() * (most - least + 1));
  const shared = Math.floor(count * sharedShare);
  return {
    repository: parseRepository(`${prefix}/image-${index}`),
    tag: parseTag('latest'),
    seed: `load ${seed} image ${index}`,
    layers: Array.from({ length: count }, (_, layer) => {
      const isShared = layer < shared;
      const owner = isShared ? `family ${family}` : `image ${index}`;
      return {
        seed: `load ${seed} ${owner} layer ${layer}`,
        bytes: sizeAt(sizes, isShared ? ofFamily() : ofImage()),
      };
    }),
  };
}

const shape = /^([^\s:@]+)(?::([^\s@]+))?(?:@(\S+))?$/;

/** `team/app:v1`, `team/app@sha256:…`, one a line; `#` begins a comment. Throws RegistryError. */
export function parseImageList(text: string): readonly LoadImage[] {
  const lines = text.split('\n').map((line) => line.split('#', 1).join('').trim());
  return lines.filter((line) => line !== '').map(parseImageLine);
}

function parseImageLine(line: string): LoadImage {
  const [, repository = line, tag = 'latest', digest] = shape.exec(line) ?? [];
  return {
    repository: parseRepository(repository),
    reference: parseReference(digest ?? tag),
  };
}
