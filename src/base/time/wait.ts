// Room `base/time`: clocks, waits, back-offs, time-outs, and whether a failure is worth another
// try. In: a clock. Out: functions. Imports: node.

import { systemClock } from './clock.ts';

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
