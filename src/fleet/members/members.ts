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

/** How long one that hangs is not asked what it has, milliseconds. */
const hungMs = 30_000;

/** After a change, an owner may be one whose predecessor's readers hold the bytes; milliseconds. */
const unsettledMs = 300_000;

/**
 * Who is in the fleet, as this process sees it. Members may see it differently at any time: nothing
 * but the number of upstream requests depends on it. This process is always one of them.
 */
export class Members {
  readonly #first: string;
  /** Names that lead to this process. */
  readonly #own = new Set<string>();
  /** Which process answers under a name: two names may lead to one. */
  readonly #instances = new Map<string, string>();
  readonly #clock: Clock;
  readonly #changed: (live: readonly string[]) => void;
  #listed: Set<string>;
  #live: readonly string[];
  #changedAt: number;
  #isLeaving = false;
  /** Until when each is left alone; infinite until it answers a ping again. */
  readonly #leftUntil = new Map<string, number>();
  /** Until when those that did not say in time what they have are not asked that. */
  readonly #hungUntil = new Map<string, number>();
  /** Since when members that still answer are leaving. */
  readonly #leaving = new Map<string, number>();

  constructor({ self, clock = systemClock, changed = () => undefined }: MembersOptions) {
    this.#first = self;
    this.#clock = clock;
    this.#changed = changed;
    this.#listed = new Set();
    this.#live = [self];
    this.#changedAt = clock.now();
  }

  /** This process, by the least name that the list has for it. */
  get self(): string {
    const own = [...this.#own];
    return least(own.filter((name) => this.#listed.has(name))) ?? least(own) ?? this.#first;
  }

  /** Who is asked now: this process, and all others that answer and are not leaving. */
  get live(): readonly string[] {
    this.#look();
    return this.#live;
  }

  /** All others that the list names, whether they answer or not. */
  get others(): readonly string[] {
    return [...this.#listed].filter((member) => !this.#isOwn(member));
  }

  /** Others that are leaving, and still have what they download. */
  get leaving(): readonly string[] {
    const now = this.#clock.now();
    return Array.from(this.#leaving).flatMap(([member, at]) => (now - at < unsettledMs ? [member] : []));
  }

  /** The other member that is asked now under which that process answers. */
  memberOf(instance: string): string | undefined {
    return this.live.find((member) => this.#instances.get(member) === instance);
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
    const isAlone = this.#live.length === 1 && this.leaving.length === 0;
    return !isAlone && this.#clock.now() - this.#changedAt < unsettledMs;
  }

  /** The list as its source has it now. Who answers and is named no more is about to leave. */
  listed(members: readonly string[]): void {
    const before = this.live;
    this.#listed = new Set(members);
    for (const member of before) if (!this.#isOwn(member) && !this.#listed.has(member)) this.#notLong(member);
    for (const member of this.#leftUntil.keys())
      if (!this.#listed.has(member)) this.#leftUntil.delete(member);
    for (const kept of [this.#instances, this.#hungUntil])
      for (const member of kept.keys()) if (!this.#listed.has(member)) kept.delete(member);
    this.#look();
  }

  /** The process that answers under the name; undefined before the first answer to a ping. */
  processOf(member: string): string | undefined {
    return this.#instances.get(member);
  }

  /**
   * It did not answer a question: it is left alone for 2 s. Not so where another process has its
   * place since that one, if given, was asked.
   */
  failed(member: string, asked?: string): void {
    if (this.#isSucceeded(member, asked)) return;
    this.#leaving.delete(member);
    if (this.#leftUntil.get(member) === Number.POSITIVE_INFINITY) return;
    this.#leftUntil.set(member, this.#clock.now() + leftMs);
    this.#look();
  }

  /** It did not say in time what it has: it is not asked that for 30 s. One that leaves is gone. */
  hung(member: string, asked?: string): void {
    if (this.#isSucceeded(member, asked)) return;
    for (const each of this.#hungUntil.keys()) if (!this.isHung(each)) this.#hungUntil.delete(each);
    this.#hungUntil.set(member, this.#clock.now() + hungMs);
    if (this.#leaving.has(member)) this.failed(member);
  }

  isHung(member: string): boolean {
    return this.#clock.now() < (this.#hungUntil.get(member) ?? 0);
  }

  /** It is leaving: it owns nothing any more, and gives what it has until it is gone. */
  leaves(member: string): void {
    if (!this.#listed.has(member)) return;
    this.#notLong(member);
    this.#leave(member);
  }

  /** It answers no ping: it is left alone until it says otherwise. */
  gone(member: string): void {
    if (!this.#listed.has(member)) return;
    this.#leaving.delete(member);
    this.#leave(member);
  }

  #notLong(member: string): void {
    const now = this.#clock.now();
    for (const [each, at] of this.#leaving) if (now - at >= unsettledMs) this.#leaving.delete(each);
    if (!this.#leaving.has(member)) this.#leaving.set(member, now);
  }

  #leave(member: string): void {
    this.#leftUntil.set(member, Number.POSITIVE_INFINITY);
    this.#look();
  }

  /** That process answers pings under the name; whether it did not before. */
  came(member: string, instance: string): boolean {
    const isGone = this.#leftUntil.get(member) === Number.POSITIVE_INFINITY;
    if (!isGone && this.#instances.get(member) === instance) return false;
    // What the process before it failed to answer, another one may.
    this.#leftUntil.delete(member);
    if (this.#instances.get(member) !== instance) this.#hungUntil.delete(member);
    this.#leaving.delete(member);
    this.#instances.set(member, instance);
    this.#look();
    return true;
  }

  /** This process answers under that name of the list: the others rank it by it. */
  known(self: string): void {
    if (this.#own.has(self)) return;
    this.#own.add(self);
    this.#leftUntil.delete(self);
    this.#look();
  }

  /** This process has been told to stop. */
  leave(): void {
    this.#isLeaving = true;
  }

  #isSucceeded(member: string, asked: string | undefined): boolean {
    const answering = this.#instances.get(member);
    return asked !== undefined && answering !== undefined && answering !== asked;
  }

  #isOwn(member: string): boolean {
    return member === this.#first || this.#own.has(member);
  }

  #look(): void {
    const now = this.#clock.now();
    const answering = this.others.filter((member) => (this.#leftUntil.get(member) ?? 0) <= now);
    const live = [this.self, ...this.#withoutAliases(answering)].sort(inOrder);
    if (live.join() === this.#live.join()) return;
    this.#live = live;
    this.#changedAt = now;
    this.#changed(live);
  }

  /** Of names that lead to one process the least, as all members choose it. */
  #withoutAliases(names: readonly string[]): readonly string[] {
    const chosen = new Map<string, string>();
    for (const name of [...names].sort(inOrder)) {
      const instance = this.#instances.get(name) ?? `unknown, at ${name}`;
      if (!chosen.has(instance)) chosen.set(instance, name);
    }
    return [...chosen.values()];
  }
}

function inOrder(one: string, other: string): number {
  return one < other ? -1 : 1;
}

function least(names: readonly string[]): string | undefined {
  return [...names].sort(inOrder)[0];
}
