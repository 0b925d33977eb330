import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/base/time/wait.ts';

export interface ManualClock extends Clock {
  /** Moves the time on, timer by timer; what each of them sets in motion runs before the next. */
  pass(ms: number): Promise<void>;
  /** Timers that run. */
  readonly running: number;
}

/** A clock that stands still between two calls of `pass`. */
export function createManualClock(): ManualClock {
  const timers = new Map<() => void, number>();
  let time = 0;

  function firstBefore(end: number): (() => void) | undefined {
    const due = [...timers].filter(([, at]) => at <= end).toSorted(([, left], [, right]) => left - right);
    return due[0]?.[0];
  }

  return {
    now: () => time,
    setTimeout(callback, ms) {
      const run = (): void => callback();
      const start = (): void => void timers.set(run, time + ms);
      start();
      return { refresh: start, unref: () => undefined, [Symbol.dispose]: () => timers.delete(run) };
    },
    async pass(ms) {
      const end = time + ms;
      await turn();
      for (let run = firstBefore(end); run !== undefined; run = firstBefore(end)) {
        time = timers.get(run) ?? time;
        timers.delete(run);
        run();
        await turn();
      }
      time = end;
    },
    get running() {
      return timers.size;
    },
  };
}
