import { systemClock } from './clock.ts';

/** Tells all who wait that something has changed, any number of times. */
export interface Notifier {
  notify(): void;
  /**
   * Resolves at the next notification, after `ms` milliseconds, or when the signal aborts: whichever
   * comes first. Look at what you wait for before, and again after.
   */
  wait(ms?: number, signal?: AbortSignal): Promise<void>;
}

export function createNotifier(clock = systemClock): Notifier {
  const waiting = new Set<() => void>();
  return {
    notify() {
      for (const end of waiting) end();
    },
    async wait(ms = Number.POSITIVE_INFINITY, signal) {
      if (signal?.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const end = (): void => {
        waiting.delete(end);
        resolve();
      };
      waiting.add(end);
      using _timer = ms === Number.POSITIVE_INFINITY ? undefined : clock.setTimeout(end, ms);
      signal?.addEventListener('abort', end);
      await promise;
      signal?.removeEventListener('abort', end);
    },
  };
}
