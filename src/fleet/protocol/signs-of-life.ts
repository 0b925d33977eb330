import { createLru } from '../../base/state/lru.ts';
import type { Clock } from '../../base/time/wait.ts';

const mostMembers = 1_000;

/** How long after a member's last proof a sign without one is believed, milliseconds. */
const believedMs = 4_000;

interface MemberSigns {
  readonly provenAt: number;
  readonly cameAt: number;
}

/**
 * When each member last gave a sign of life, whatever it was asked. A machine that is busy answers
 * late, but it answers some; one that is dead is silent in all of them. Bytes of a body may have
 * waited here for a slow reader since before their sender died, and anyone at its address can say
 * `102`: such signs count for 4 s after the last answer with a proof.
 */
export class SignsOfLife {
  readonly #clock: Clock;
  readonly #signs = createLru<string, MemberSigns>(mostMembers);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An answer came that only the member could give. */
  proved(member: string): void {
    const now = this.#clock.now();
    this.#signs.set(member, { provenAt: now, cameAt: now });
  }

  /** Something came from where the member was. */
  came(member: string): void {
    const signs = this.#signs.get(member);
    const now = this.#clock.now();
    if (signs !== undefined && now - signs.provenAt <= believedMs)
      this.#signs.set(member, { ...signs, cameAt: now });
  }

  /** Milliseconds; infinite for one that never gave any. */
  agoMs(member: string): number {
    return this.#clock.now() - (this.#signs.get(member)?.cameAt ?? Number.NEGATIVE_INFINITY);
  }
}
