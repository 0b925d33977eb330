import { setTimeout as delay } from 'node:timers/promises';

export interface BackoffOptions {
  /** The first pause, milliseconds; each next one is twice as long. */
  readonly firstMs: number;
  /** No pause is longer, milliseconds. */
  readonly longestMs: number;
}

/** The pauses between tries that keep failing. */
export interface Backoff {
  /** The next pause, milliseconds: less a random part, so that not everybody comes back at once. */
  next(): number;
  /** A try was of use. */
  reset(): void;
  /** True when no pause was taken since. */
  readonly isReset: boolean;
}

export function backoff({ firstMs, longestMs }: BackoffOptions): Backoff {
  let pauseMs = firstMs;
  return {
    next() {
      const spanMs = Math.min(longestMs, pauseMs);
      pauseMs = spanMs * 2;
      return spanMs * (1 - Math.random() / 4);
    },
    reset() {
      pauseMs = firstMs;
    },
    get isReset() {
      return pauseMs === firstMs;
    },
  };
}

/** Ends after the time, or at once when the signal aborts. */
export async function paused(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
