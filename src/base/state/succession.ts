/** A use of a value that has successors: it stays the same until `leave`. */
export interface Entered<T> {
  readonly value: T;
  /** The use is over. Only the first call counts. */
  leave(): void;
}

interface InForce<T> {
  readonly value: T;
  users: number;
  readonly unused: PromiseWithResolvers<void>;
  isOver: boolean;
}

/**
 * A value that is replaced as a whole while it is used: each use keeps the one that was in force
 * when it began.
 */
export class Succession<T> {
  #current: InForce<T>;

  constructor(first: T) {
    this.#current = beginning(first);
  }

  get current(): T {
    return this.#current.value;
  }

  enter(): Entered<T> {
    const entered = this.#current;
    entered.users += 1;
    let isInside = true;
    return {
      value: entered.value,
      leave() {
        if (!isInside) return;
        isInside = false;
        entered.users -= 1;
        if (entered.isOver && entered.users === 0) entered.unused.resolve();
      },
    };
  }

  /** The next value is in force at once; resolves when no use of the one before is left. */
  replace(next: T): Promise<void> {
    const before = this.#current;
    this.#current = beginning(next);
    before.isOver = true;
    if (before.users === 0) before.unused.resolve();
    return before.unused.promise;
  }
}

function beginning<T>(value: T): InForce<T> {
  return { value, users: 0, unused: Promise.withResolvers(), isOver: false };
}
