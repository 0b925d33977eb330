import type { LoadRecorder } from '../recorder.ts';

/** What a load never exceeds. Plain JSON. */
export interface LoadBounds {
  /** Arrivals due later are not begun, milliseconds. */
  readonly durationMs: number;
  /** HTTP requests. */
  readonly maxRequests: number;
  /** Of bodies, received. */
  readonly maxBytes: number;
  /** Work under way at a time; what is due beyond that waits, and its latency with it. */
  readonly maxConcurrency: number;
  /** What work under way has after the last arrival, milliseconds. */
  readonly drainMs: number;
}

/** Why a load ended. */
export type LoadEnd = 'duration' | 'maxRequests' | 'maxBytes' | 'trace' | 'stopped';

/** The bound that is reached, if any; the duration is that of the arrivals. */
export function reachedBound(
  { requests, bytes }: Pick<LoadRecorder['totals'], 'requests' | 'bytes'>,
  { maxRequests, maxBytes }: LoadBounds,
): LoadEnd | undefined {
  if (requests >= maxRequests) return 'maxRequests';
  return bytes >= maxBytes ? 'maxBytes' : undefined;
}

/** One process's share of what all of them may do. */
export function boundsOfOne(bounds: LoadBounds, processes: number): LoadBounds {
  const share = (count: number): number => Math.max(1, Math.ceil(count / processes));
  const { maxRequests, maxBytes, maxConcurrency } = bounds;
  return {
    ...bounds,
    maxRequests: share(maxRequests),
    maxBytes: share(maxBytes),
    maxConcurrency: share(maxConcurrency),
  };
}
