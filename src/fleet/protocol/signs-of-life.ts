import { createLru } from '../../base/state/lru.ts';
import type { Clock } from '../../base/time/wait.ts';

const mostMembers = 1_000;

/**
 * When each member last gave a sign of life, whatever it was asked. A machine that is busy answers
 * late, but it answers some; one that is dead is silent in all of them.
 */
export class SignsOfLife {
  readonly #clock: Clock;
  readonly #cameAt = createLru<string, number>(mostMembers);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  came(member: string): void {
    this.#cameAt.set(member, this.#clock.now());
  }

  /** Milliseconds; infinite for one that never gave any. */
  agoMs(member: string): number {
    return this.#clock.now() - (this.#cameAt.get(member) ?? Number.NEGATIVE_INFINITY);
  }
}
