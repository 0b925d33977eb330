import { generatedImage } from '../../load/images/generated-image.ts';
import type { DrillStand } from '../stand/stand.ts';
import type { DrillImage } from './pulls.ts';

/** Images of the registry, some of which the fleet has. */
export interface DrillImages {
  readonly warm: readonly DrillImage[];
  /** One that was never pulled. */
  cold(): Promise<DrillImage>;
  /** Forgets the cold ones. */
  forget(): void;
}

const warmCount = 12;
/** Bytes of the layers: one is served from memory, one takes several reads. */
const layers = [40_000, 300_000, 1_500_000];
const coldLayers = [30_000, 200_000];

/** Pushes the warm images. Those of one run are not those of another. */
export async function createDrillImages(
  { registry }: Pick<DrillStand, 'registry'>,
  seed: string,
): Promise<DrillImages> {
  const warm: DrillImage[] = [];
  const cold = new Set<string>();
  let next = 0;
  async function added(repository: string, sizes: readonly number[], isWarm: boolean): Promise<DrillImage> {
    const image = await generatedImage({ seed: `${seed} ${repository}`, layers: sizes, mediaTypes: 'oci' });
    await registry.add(repository, 'latest', image);
    return { repository, tag: 'latest', isWarm };
  }
  for (let index = 0; index < warmCount; index += 1)
    warm.push(await added(`warm/image-${index}`, layers, true));
  return {
    warm,
    async cold() {
      next += 1;
      const image = await added(`cold/image-${next}`, coldLayers, false);
      cold.add(image.repository);
      return image;
    },
    forget() {
      for (const repository of cold) registry.remove(repository);
      cold.clear();
    },
  };
}
