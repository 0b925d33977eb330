import { fairTimer, systemClock } from './wait.ts';

/** How long each chunk of a body, also the first one, may take, milliseconds. */
export interface Patience {
  readonly firstMs: number;
  readonly nextMs: number;
}

/**
 * The same chunks; `stalled` is called when the wait for one takes too long, and should destroy the
 * body. The clock only runs while the reader waits, and while this process runs: a slow reader is
 * not a silent source.
 */
export async function* watched<Chunk>(
  body: AsyncIterable<Chunk>,
  { firstMs, nextMs }: Patience,
  stalled: () => void,
  clock = systemClock,
): AsyncGenerator<Chunk, void, undefined> {
  let isWaiting = true;
  const late = (): void => {
    if (isWaiting) stalled();
  };
  let timer = fairTimer(late, firstMs, clock);
  let hasBegun = firstMs === nextMs;
  try {
    for await (const chunk of body) {
      isWaiting = false;
      yield chunk;
      isWaiting = true;
      if (hasBegun) {
        timer.refresh();
      } else {
        timer[Symbol.dispose]();
        timer = fairTimer(late, nextMs, clock);
        hasBegun = true;
      }
    }
  } finally {
    timer[Symbol.dispose]();
  }
}
