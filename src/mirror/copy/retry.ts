import { backoffMs } from '../../base/time/backoff.ts';
import { sleep } from '../../base/time/wait.ts';
import { CopyError, doubtfulTries } from '../failure.ts';

export interface CopyRetryOptions {
  /** The first pause is up to this long, each next up to twice as long, ms. Default 1,000. */
  readonly firstPauseMs?: number;
  /** No pause of our own choice is longer, milliseconds. Default 30,000. */
  readonly longestPauseMs?: number;
  /** A `Retry-After` beyond this fails the try instead, milliseconds. Default 300,000. */
  readonly longestWaitMs?: number;
  /** Default `Math.random`. */
  readonly random?: () => number;
}

interface Persistence extends Required<CopyRetryOptions> {
  readonly tries: number;
  readonly signal: AbortSignal;
  readonly retried: (failure: CopyError, waitMs: number) => void;
}

/** The options with their defaults. */
export function retryOptions(options: CopyRetryOptions): Required<CopyRetryOptions> {
  const { firstPauseMs = 1_000, longestPauseMs = 30_000, longestWaitMs = 300_000 } = options;
  return { firstPauseMs, longestPauseMs, longestWaitMs, random: options.random ?? Math.random };
}

/**
 * Retries transient failures up to `tries` times, unless a lower layer has used up its own retries,
 * and doubtful ones as often as those are tried. Throws the last failure; the signal's reason once
 * it is aborted.
 */
export async function persistently<T>(work: () => Promise<T>, options: Persistence): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof CopyError) || attempt >= triesOf(error, options)) throw error;
      const waitMs = pauseAfter(attempt, error.retryAfterSeconds, options);
      if (waitMs === undefined) throw error;
      options.retried(error, waitMs);
      await sleep(waitMs, options.signal);
    }
  }
}

function triesOf({ isDoubtful, retry }: CopyError, { tries }: Persistence): number {
  if (isDoubtful) return Math.max(tries, doubtfulTries);
  return retry === 'now' ? tries : 1;
}

/** The `Retry-After`, and a random part of a doubling span; undefined above the limit. */
function pauseAfter(
  attempt: number,
  retryAfterSeconds: number | undefined,
  options: Persistence,
): number | undefined {
  const askedMs = (retryAfterSeconds ?? 0) * 1_000;
  const { firstPauseMs: firstMs, longestPauseMs: longestMs, random } = options;
  if (askedMs > options.longestWaitMs) return undefined;
  return askedMs + backoffMs(attempt - 1, { firstMs, longestMs, jitter: 1, random });
}
