/** Ends with its scope, as the global timers do: `using timer = clock.setTimeout(…)`. */
export interface Timer extends Disposable {
  /** Starts its time anew, also after it ran out. */
  refresh(): unknown;
  /** Does not keep the process running. */
  unref(): unknown;
}

/** Time, so that a test can have its own. */
export interface Clock {
  /** Milliseconds since some point in time; never goes back. */
  now(): number;
  /** Calls back once after so many milliseconds, of which at most 24 days count. */
  setTimeout(callback: () => void, ms: number): Timer;
}

const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, Math.min(longestTimerMs, Math.max(0, ms))),
};
