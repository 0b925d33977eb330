import { setTimeout as delay } from 'node:timers/promises';

/** The promise's end if it comes in time; what comes later is dropped. */
export async function bounded<Value>(promise: Promise<Value>, ms: number): Promise<Value> {
  const inTime = new AbortController();
  const late = delay(ms, undefined, { signal: inTime.signal }).then(
    () => Promise.reject(new Error(`there was no answer within ${Math.round(ms)} ms`)),
    () => promise,
  );
  return await Promise.race([promise, late]).finally(() => inTime.abort());
}

/** True after the time; false, at once, when the signal aborts. */
export function paused(ms: number, signal?: AbortSignal): Promise<boolean> {
  return delay(ms, undefined, signal === undefined ? {} : { signal }).then(
    () => true,
    () => false,
  );
}
