import { CopyError } from '../failure.ts';
import { copyImage } from './copy.ts';
import { type ImageCopy, routeOf } from './image-copy.ts';
import type { CopyRun } from './run.ts';

export interface CopyImagesOptions {
  /** Images at a time between one source and one destination. Default 6. */
  readonly maxImages?: number;
  /** Pairs of source and destination at a time. Default: all. */
  readonly maxRoutes?: number;
  /** How often an image is tried, when what fails may pass and its registry has not tried it to the end. Default 3. */
  readonly tries?: number;
  /** The others are copied all the same after an image failed for good, or did so in such a way. Default false: none is begun. */
  readonly continueOnError?: boolean | ((failure: CopyError) => boolean);
}

/**
 * Copies many images, in order between each two registries, all pairs of registries side by side: a slow one holds up its own
 * only. Never rejects: what failed, and why, is in the run's report. Resolves to the images that were not begun, or not ended
 * before the run was aborted.
 */
export async function copyImages(
  images: readonly ImageCopy[],
  run: CopyRun,
  options: CopyImagesOptions = {},
): Promise<readonly ImageCopy[]> {
  const { maxImages = 6, maxRoutes = Number.POSITIVE_INFINITY, continueOnError = false } = options;
  const goesOn = typeof continueOnError === 'function' ? continueOnError : () => continueOnError;
  const left: ImageCopy[] = [];
  let isStopped = false;

  const copy = async (image: ImageCopy): Promise<void> => {
    if (isStopped || run.signal.aborted) {
      left.push(image);
      return;
    }
    const outcome = await copied(image, run, options.tries ?? 3);
    if (outcome === 'aborted') left.push(image);
    if (outcome instanceof CopyError && !goesOn(outcome)) isStopped = true;
  };

  const routes = Map.groupBy(images, routeOf);
  await inOrder([...routes.values()], maxRoutes, (queue) => inOrder(queue, maxImages, copy));
  return left;
}

async function copied(
  image: ImageCopy,
  run: CopyRun,
  tries: number,
): Promise<'done' | 'aborted' | CopyError> {
  const { events } = run;
  events.imageStarted?.({ image });
  try {
    const done = await run.persistently(image, () => copyImage(image, run), tries);
    run.tally.imageDone(done);
    events.imageEnded?.({ image, copied: done });
    return 'done';
  } catch (error) {
    if (!(error instanceof CopyError)) return 'aborted';
    run.tally.imageFailed(image, error);
    events.imageEnded?.({ image, failure: error });
    return error;
  }
}

/** So many at a time; `work` must not reject. */
async function inOrder<Item>(
  items: readonly Item[],
  limit: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
