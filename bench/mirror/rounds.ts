import type { Lab } from '../lab.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Copier } from './copiers.ts';
import { missingIn, withEmptyRegistry } from './destination.ts';
import type { ImageSet, MirroredImage } from './images.ts';
import { withCounts, withRefusals } from './ways.ts';

/** Where images are copied from, and the program that plays where they are copied to. */
export interface Place {
  readonly lab: Lab;
  /** The command of docker-registry. */
  readonly registry: string;
  /** The source: an origin, and its process. */
  readonly source: string;
  readonly sourcePid: number;
  readonly images: readonly MirroredImage[];
  readonly set: ImageSet;
}

export interface Times {
  /** Seconds into an empty registry. */
  readonly first: number;
  /** Processor seconds that the two registries spent on that, together. */
  readonly registries: number;
  /** Seconds when everything is there already. */
  readonly second: number;
}

/**
 * From the source straight into an empty registry, and once more. Throws when an image did not
 * arrive.
 */
export function timed({ lab, registry, source, sourcePid, images }: Place, copier: Copier): Promise<Times> {
  return withEmptyRegistry(lab, registry, 'mirror-timed', async ({ origin, pid }) => {
    lab.say(`${copier.name} copies ${images.length} images, and looks again`);
    const spent = async () =>
      ((await processorSeconds(sourcePid)) ?? Number.NaN) + ((await processorSeconds(pid)) ?? Number.NaN);
    const before = await spent();
    const first = await secondsOf(() => copier.copy(images, hostOf(source), hostOf(origin)));
    const registries = (await spent()) - before;
    const second = await secondsOf(() => copier.copy(images, hostOf(source), hostOf(origin)));
    const missing = await missingIn(origin, images);
    if (missing > 0) throw new Error(`${copier.name} left out ${missing} of ${images.length} images`);
    return { first, registries, second };
  });
}

export interface Traffic {
  /** Both ways, from the source and to the destination, into an empty registry. */
  readonly bytes: number;
  /** For each image when everything is there already, both sides together. */
  readonly requests: number;
}

/** The same past counters; a run of its own, because counting takes time. */
export function counted({ lab, registry, source, images }: Place, copier: Copier): Promise<Traffic> {
  return withEmptyRegistry(lab, registry, 'mirror-counted', (destination) =>
    withCounts(
      [Number(new URL(source).port), destination.port],
      async ({ hosts: [from = '', to = ''], take }) => {
        lab.say(`${copier.name} copies ${images.length} images past a counter`);
        await copier.copy(images, from, to);
        const { bytes } = await take();
        await copier.copy(images, from, to);
        const { requests } = await take();
        return { bytes, requests: requests / images.length };
      },
    ),
  );
}

export interface Refused {
  /** Images that are at the destination afterwards. */
  readonly arrived: number;
  readonly seconds: number;
}

/** From and to registries that refuse that share of all requests. */
export function refused(
  { lab, registry, source, images }: Place,
  copier: Copier,
  share: number,
): Promise<Refused> {
  return withEmptyRegistry(lab, registry, 'mirror-refused', ({ origin }) =>
    withRefusals([source, origin], share, async ([from = '', to = '']) => {
      lab.say(`${copier.name} copies ${images.length} images from and to registries that refuse`);
      const seconds = await secondsOf(() => copier.copy(images, from, to));
      return { arrived: images.length - (await missingIn(origin, images)), seconds };
    }),
  );
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function hostOf(origin: string): string {
  return new URL(origin).host;
}
