/** Wakes those who wait for news. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, after `inMs` milliseconds, or when the signal aborts: whichever comes first. */
  heard(inMs: number, signal: AbortSignal): Promise<void>;
}

const longestTimerMs = 2 ** 31 - 1;

export function bell(): Bell {
  const listeners = new Set<() => void>();
  return {
    ring() {
      for (const listener of listeners) listener();
    },
    async heard(inMs, signal) {
      if (signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const stop = () => resolve();
      const timer = inMs < longestTimerMs ? setTimeout(stop, Math.max(0, inMs)) : undefined;
      listeners.add(stop);
      signal.addEventListener('abort', stop, { once: true });
      try {
        await promise;
      } finally {
        clearTimeout(timer);
        listeners.delete(stop);
        signal.removeEventListener('abort', stop);
      }
    },
  };
}
