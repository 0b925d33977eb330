export interface BackoffOptions {
  /** The span after no failure but the last, milliseconds. */
  readonly firstMs: number;
  /** No span is longer, milliseconds. Default: no limit. */
  readonly longestMs?: number;
  /** Each span is so many times as long as the one before it. Default 2. */
  readonly factor?: number;
  /** The random part of the span, from 0 to 1, against synchronized retries. Default 0. */
  readonly jitter?: number;
  /** From 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** The pause before the next try, after so many failures before the last one, milliseconds. */
export function backoffMs(failuresBefore: number, options: BackoffOptions): number {
  const {
    firstMs,
    longestMs = Number.POSITIVE_INFINITY,
    factor = 2,
    jitter = 0,
    random = Math.random,
  } = options;
  const spanMs = Math.min(longestMs, firstMs * factor ** failuresBefore);
  return jitter === 0 ? spanMs : spanMs * (1 - jitter) + spanMs * jitter * random();
}
