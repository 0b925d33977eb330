import { systemClock } from '../time/wait.ts';

/** Tells all who wait that something has changed, any number of times. */
export interface Notifier {
  notify(): void;
  /** Resolves at a notification, after `ms` milliseconds, or on abort. Recheck your condition. */
  wait(ms?: number, signal?: AbortSignal): Promise<void>;
}

export function createNotifier(clock = systemClock): Notifier {
  const bounded = new Set<() => void>();
  let next = Promise.withResolvers<void>();

  async function waitBounded(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    bounded.add(end);
    using _timer = ms === Number.POSITIVE_INFINITY ? undefined : clock.setTimeout(end, ms);
    signal?.addEventListener('abort', end);
    await promise;
    bounded.delete(end);
    signal?.removeEventListener('abort', end);
  }

  return {
    notify() {
      const { resolve } = next;
      next = Promise.withResolvers();
      resolve();
      for (const end of bounded) end();
    },
    // Readers of a download wait for each chunk: one promise serves all of them.
    wait: (ms = Number.POSITIVE_INFINITY, signal) =>
      ms === Number.POSITIVE_INFINITY && signal === undefined ? next.promise : waitBounded(ms, signal),
  };
}
