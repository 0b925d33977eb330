// Room `fleet/members`: who is in the fleet, who answers, and who owns what. In: lists, pings. Out:
// a ranking for each key. Imports: base; types of fleet/protocol.

import { type Clock, systemClock } from '../../base/time/wait.ts';
import { ranked } from './ranking.ts';

interface MembersOptions {
  /** This process, by the name that the others know it by: `host:port`. */
  readonly self: string;
  readonly clock?: Clock;
  /** Who is live changed. */
  readonly changed?: (live: readonly string[]) => void;
}

/** How long a member that did not answer is left alone, milliseconds. */
const leftMs = 2_000;

/** After a change, an owner may be one whose predecessor's readers hold the bytes; milliseconds. */
const unsettledMs = 300_000;

/**
 * Who is in the fleet, as this process sees it. Members may see it differently at any time: nothing
 * but the number of upstream requests depends on it. This process is always one of them.
 */
export class Members {
  #self: string;
  readonly #clock: Clock;
  readonly #changed: (live: readonly string[]) => void;
  #listed: Set<string>;
  #live: readonly string[];
  #changedAt: number;
  #isLeaving = false;
  /** Until when each is left alone; infinite until it answers a ping again. */
  readonly #leftUntil = new Map<string, number>();

  constructor({ self, clock = systemClock, changed = () => undefined }: MembersOptions) {
    this.#self = self;
    this.#clock = clock;
    this.#changed = changed;
    this.#listed = new Set([self]);
    this.#live = [self];
    this.#changedAt = clock.now();
  }

  /** This process, by the name that the list has for it. */
  get self(): string {
    return this.#self;
  }

  /** Who is asked now: this process, and all others that answer and are not leaving. */
  get live(): readonly string[] {
    this.#look();
    return this.#live;
  }

  /** All others that the list names, whether they answer or not. */
  get others(): readonly string[] {
    return [...this.#listed].filter((member) => member !== this.self);
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /**
   * Whose key it is, first, and who takes over. Once this process is leaving it owns nothing, so
   * that all agree, unless it is alone.
   */
  ranked(key: string): readonly string[] {
    const { live } = this;
    const staying = this.#isLeaving ? live.filter((member) => member !== this.self) : live;
    return ranked(staying.length === 0 ? live : staying, key);
  }

  /** Whether members came or went within five minutes. */
  get isUnsettled(): boolean {
    this.#look();
    return this.#live.length > 1 && this.#clock.now() - this.#changedAt < unsettledMs;
  }

  /** The list as its source has it now. */
  listed(members: readonly string[]): void {
    this.#listed = new Set([this.self, ...members]);
    for (const member of this.#leftUntil.keys())
      if (!this.#listed.has(member)) this.#leftUntil.delete(member);
    this.#look();
  }

  /** It did not answer a question: it is left alone for 2 s. */
  failed(member: string): void {
    if (this.#leftUntil.get(member) === Number.POSITIVE_INFINITY) return;
    this.#leftUntil.set(member, this.#clock.now() + leftMs);
    this.#look();
  }

  /** It answers no ping, or is leaving: it is left alone until it says otherwise. */
  gone(member: string): void {
    this.#leftUntil.set(member, Number.POSITIVE_INFINITY);
    this.#look();
  }

  /** It answers pings. */
  came(member: string): void {
    if (this.#leftUntil.get(member) !== Number.POSITIVE_INFINITY) return;
    this.#leftUntil.delete(member);
    this.#look();
  }

  /** This process answers under that name of the list: the others rank it by it. */
  known(self: string): void {
    if (self === this.#self) return;
    const before = this.#self;
    this.#self = self;
    this.#leftUntil.delete(self);
    this.#listed.delete(before);
    this.#listed.add(self);
    this.#look();
  }

  /** This process has been told to stop. */
  leave(): void {
    this.#isLeaving = true;
  }

  #look(): void {
    const now = this.#clock.now();
    const live = [...this.#listed]
      .filter((member) => member === this.self || (this.#leftUntil.get(member) ?? 0) <= now)
      .sort((one, other) => (one < other ? -1 : 1));
    if (live.join() === this.#live.join()) return;
    this.#live = live;
    this.#changedAt = now;
    this.#changed(live);
  }
}
