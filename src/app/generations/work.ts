/** How the work of one generation begins and ends. */
interface Working<T> {
  /** Begins what this one has and the other, which works until now, has not. */
  readonly start: (next: T, before: T | undefined) => void;
  /** Ends what this one has and the next one has not. Must not reject. */
  readonly stop: (before: T, next: T) => Promise<void>;
}

/**
 * Work that belongs to the value in force: it ends before that of the next value begins, and no
 * part of it begins twice, whenever it is first begun.
 */
export class HandedWork<T> {
  readonly #working: Working<T>;
  /** Ends and begins, one after the other. */
  #turn: Promise<void> = Promise.resolve();
  /** Whose work runs. */
  #current: T | undefined;
  #isOver = false;

  constructor(working: Working<T>) {
    this.#working = working;
  }

  /** Begins the work of the value in force, once what was handed over before has ended. */
  begin(current: T): void {
    this.#turn = this.#turn.then(() => this.#start(current));
  }

  /** The next value is in force. Resolves once the work of the one before has ended. */
  hand(before: T, next: T): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      await this.#working.stop(before, next);
      if (this.#current !== undefined) this.#start(next);
    });
    return this.#turn;
  }

  /** Nothing begins any more. Resolves once all that was to end has ended. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#turn;
  }

  #start(next: T): void {
    if (this.#isOver) return;
    this.#working.start(next, this.#current);
    this.#current = next;
  }
}
