// Room `base/time`: clocks, waits, back-offs, time-outs, and whether a failure is worth another
// try. In: a clock. Out: functions. Imports: node.

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

/** Resolves after so many milliseconds; rejects with the signal's reason as soon as it aborts. */
export async function sleep(ms: number, signal?: AbortSignal, clock = systemClock): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  using _timer = clock.setTimeout(resolve, ms);
  await unlessAborted(promise, signal);
}

/** True after so many milliseconds; false as soon as the signal aborts. */
export function hasSlept(ms: number, signal?: AbortSignal, clock = systemClock): Promise<boolean> {
  return sleep(ms, signal, clock).then(
    () => true,
    () => false,
  );
}

/** The promise's outcome if in time, else that of `late`, which throws by default. */
export async function withTimeout<Value, Late = never>(
  promise: Promise<Value>,
  ms: number,
  late: () => Late = () => {
    throw new Error(`there was no answer within ${Math.round(ms)} ms`);
  },
  clock = systemClock,
): Promise<Value | Late> {
  const { promise: end, resolve } = Promise.withResolvers<Late>();
  using _timer = clock.setTimeout(() => resolve(Promise.try(late)), ms);
  return await Promise.race([promise, end]);
}

const slices = 10;

/**
 * Calls back after `ms`, fair to the one who answers: however long this process is too busy to read
 * an answer, that counts as a tenth of the time at most, and after the last tenth there is one more
 * turn to read it.
 */
export function fairTimer(callback: () => void, ms: number, clock = systemClock): Timer {
  const sliceMs = Math.ceil(ms / slices);
  let left = slices;
  let mayBeLate = true;
  let dueAt = clock.now() + sliceMs;
  const timer = clock.setTimeout(() => {
    const isGiven = left === 1 && mayBeLate && clock.now() - dueAt > sliceMs;
    if (isGiven) mayBeLate = false;
    else left -= 1;
    if (left === 0) return callback();
    dueAt = clock.now() + sliceMs;
    timer.refresh();
  }, sliceMs);
  return {
    refresh() {
      left = slices;
      mayBeLate = true;
      dueAt = clock.now() + sliceMs;
      return timer.refresh();
    },
    unref: () => timer.unref(),
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  };
}

/** As `withTimeout`, by a fair timer. */
export async function withFairTimeout<Value, Late>(
  promise: Promise<Value>,
  ms: number,
  late: () => Late,
  clock = systemClock,
): Promise<Value | Late> {
  const { promise: end, resolve } = Promise.withResolvers<Late>();
  using _timer = fairTimer(() => resolve(Promise.try(late)), ms, clock);
  return await Promise.race([promise, end]);
}

/** The promise's outcome, or the signal's reason as soon as it aborts; the work goes on. */
export function unlessAborted<Value>(promise: Promise<Value>, signal?: AbortSignal): Promise<Value> {
  if (signal === undefined) return promise;
  return new Promise<Value>((resolve, reject) => {
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    const stay = () => signal.removeEventListener('abort', leave);
    promise.then(resolve, reject).then(stay, stay);
  });
}

/** One signal of several, of which some may be absent. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

/** Clocks of replicas that are kept in time differ by less, milliseconds. */
export const mostSkewMs = 10_000;

/**
 * How long ago something was written down, milliseconds. Infinite for a time that has not come yet:
 * the clock that wrote it was wrong, or ours was, so nothing is known of its age.
 */
export function ageMs(at: number, now: number): number {
  return at - now > mostSkewMs ? Number.POSITIVE_INFINITY : Math.max(0, now - at);
}
