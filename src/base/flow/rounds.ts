import { Semaphore } from './semaphore.ts';

/** Work in the background that is done now and then, and never twice at a time. */
export class Rounds {
  readonly #round: () => Promise<number>;
  readonly #runs = new Semaphore({ permits: 1 });
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  /** `round` never rejects, and resolves to the pause before the next one, milliseconds. */
  constructor(round: () => Promise<number>) {
    this.#round = round;
  }

  /** Aborts with `close`. */
  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Runs the work after all that was begun so. */
  alone<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#runs.run(work);
  }

  /** Begins the first round after so many milliseconds. Keeps no process running. */
  start(afterMs: number): void {
    if (this.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#round().then((pauseMs) => this.start(pauseMs)), afterMs);
    this.#timer.unref();
  }

  /** Begins no more, and resolves when what runs alone has ended; the signal says why. */
  async close(reason: string): Promise<void> {
    this.#closing.abort(new Error(reason));
    clearTimeout(this.#timer);
    await this.alone(async () => undefined);
  }
}
