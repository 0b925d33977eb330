/** Wakes everybody who waits, any number of times. */
export interface Broadcast {
  /** Resolves at the next `wake`. Look at what you wait for first, and again after. */
  wait(): Promise<void>;
  wake(): void;
}

/** A broadcast that nobody waits for yet. */
export function broadcast(): Broadcast {
  let next = Promise.withResolvers<void>();
  return {
    wait: () => next.promise,
    wake() {
      const woken = next;
      next = Promise.withResolvers<void>();
      woken.resolve();
    },
  };
}
