// Room `mirror/batch`: many copies for one command, planned and run. In: mapping lines. Out: what
// was copied, and what failed. Imports: base, image-streams, mirror, mirror/copy, mirror/images,
// mirror/references, oci; types of mirror/endpoints.

import { concurrently } from '../../base/flow/each.ts';
import { defined } from '../../base/text/defined.ts';
import { copyImage, statedSource } from '../copy/copy.ts';
import type { CopyRun } from '../copy/run.ts';
import { CopyError } from '../failure.ts';
import { type ImageCopy, routeOf, type Seen } from '../images/image-copy.ts';

export interface CopyImagesOptions {
  /** Images at a time between one source and one destination. Default 6. */
  readonly maxImages?: number;
  /** Pairs of source and destination at a time. Default: all. */
  readonly maxRoutes?: number;
  /** How often an image with a transient failure is tried. Default 3. */
  readonly tries?: number;
  /** Copies the other images after one failed for good. Default false: none is begun. */
  readonly continueOnError?: boolean | ((failure: CopyError) => boolean);
  /** Checks every source before the first write: a failure leaves all as it is. Default false. */
  readonly looksFirst?: boolean;
}

/**
 * Copies many images, in order for each pair of registries, all pairs in parallel: a slow pair
 * delays only its own. Never rejects: failures are in the run's report. Resolves to the images not
 * begun, or not finished at an abort.
 */
export async function copyImages(
  images: readonly ImageCopy[],
  run: CopyRun,
  options: CopyImagesOptions = {},
): Promise<readonly ImageCopy[]> {
  const { maxImages = 6, maxRoutes = Number.POSITIVE_INFINITY } = options;
  const { continueOnError = false, looksFirst = false } = options;
  const goesOn = typeof continueOnError === 'function' ? continueOnError : () => continueOnError;
  const seen = new Map<ImageCopy, Seen>();
  const left: ImageCopy[] = [];
  let isStopped = false;

  const look = async (image: ImageCopy): Promise<void> => {
    seen.set(image, { source: await statedSource(image, run) });
  };
  const copy = async (image: ImageCopy): Promise<void> => {
    const copied = await copyImage(image, run, defined({ seen: seen.get(image) }));
    run.tally.imageDone(copied);
    run.events.imageEnded?.({ image, copied });
  };
  /** The work on each image while it may begin. Resolves to the images that succeeded. */
  const each = async (
    wanted: readonly ImageCopy[],
    work: (image: ImageCopy) => Promise<void>,
    mayBegin: () => boolean,
  ): Promise<readonly ImageCopy[]> => {
    const done = new Set<ImageCopy>();
    const one = async (image: ImageCopy): Promise<void> => {
      const isBegun = mayBegin() && !run.signal.aborted;
      const outcome = isBegun ? await tried(image, run, () => work(image), options.tries ?? 3) : 'left';
      if (outcome === 'done') done.add(image);
      if (outcome === 'left') left.push(image);
      if (outcome instanceof CopyError && !goesOn(outcome)) isStopped = true;
    };
    const routes = Map.groupBy(wanted, routeOf);
    await concurrently(routes.values(), maxRoutes, (queue) => concurrently(queue, maxImages, one));
    return wanted.filter((image) => done.has(image));
  };

  const found = looksFirst ? await each(images, look, () => true) : images;
  await each(found, copy, () => !isStopped);
  return left;
}

/** The work on an image, as often as it makes sense; a failure is told and counted. */
async function tried(
  image: ImageCopy,
  run: CopyRun,
  work: () => Promise<void>,
  tries: number,
): Promise<'done' | 'left' | CopyError> {
  try {
    await run.persistently(image, work, tries);
    return 'done';
  } catch (error) {
    if (!(error instanceof CopyError)) return 'left';
    run.tally.imageFailed(image, error);
    run.events.imageEnded?.({ image, failure: error });
    return error;
  }
}
