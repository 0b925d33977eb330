import { type Clock, withTimeout } from '../base/time/wait.ts';
import type { WorkerQuestion } from './messages.ts';

/** Sends a question; its answer comes by `answered`. */
type SendQuestion = (message: {
  readonly kind: 'ask';
  readonly id: number;
  readonly question: WorkerQuestion;
}) => void;

/** Questions over a channel that only carries messages, each with an answer or none. */
export class WorkerQuestions {
  readonly #open = new Map<number, (value: unknown) => void>();
  readonly #clock: Clock;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Undefined where no answer comes in time: the other end may be too busy, or gone, which is known
   * at once where `gone` resolves.
   */
  async ask(
    question: WorkerQuestion,
    send: SendQuestion,
    withinMs: number,
    gone?: Promise<undefined>,
  ): Promise<unknown> {
    this.#last += 1;
    const id = this.#last;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#open.set(id, resolve);
    try {
      send({ kind: 'ask', id, question });
      const answer = gone === undefined ? promise : Promise.race([promise, gone]);
      return await withTimeout(answer, withinMs, () => undefined, this.#clock);
    } finally {
      this.#open.delete(id);
    }
  }

  answered({ id, value }: { readonly id: number; readonly value: unknown }): void {
    this.#open.get(id)?.(value);
  }
}
