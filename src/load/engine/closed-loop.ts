import type { LoadEnd } from './bounds.ts';
import { reachedBound } from './bounds.ts';
import type { LoadLoopOptions } from './open-loop.ts';
import { WorkUnderWay } from './work-under-way.ts';

/**
 * So many workers, each of which begins its next work when the one before has ended. A slow target
 * is asked less, so its latencies look better than those of clients that ask independently.
 */
export async function closedLoop(options: LoadLoopOptions, workers: number): Promise<LoadEnd> {
  const { bounds, recorder, clock, signal } = options;
  const underWay = new WorkUnderWay({ ...options, now: () => clock.now() });
  const arrivals = iteratorOf(options.arrivals);
  let end: LoadEnd = 'trace';

  async function worker(): Promise<void> {
    for (;;) {
      const bound = clock.now() >= bounds.durationMs ? 'duration' : reachedBound(recorder.totals, bounds);
      if (bound !== undefined || signal.aborted) {
        end = bound ?? 'stopped';
        return;
      }
      const { value, done } = await arrivals.next();
      if (done === true) return;
      const atMs = clock.now();
      recorder.due(atMs);
      await underWay.begin({ ...value, atMs });
    }
  }

  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(Array.from({ length: workers }, worker)), stopped]);
  underWay.over([], false);
  await arrivals.return?.();
  return signal.aborted ? (reachedBound(recorder.totals, bounds) ?? 'stopped') : end;
}

function iteratorOf(arrivals: LoadLoopOptions['arrivals']) {
  return Symbol.asyncIterator in arrivals
    ? arrivals[Symbol.asyncIterator]()
    : asynchronous(arrivals)[Symbol.asyncIterator]();
}

async function* asynchronous<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
