import { type Clock, sleep, systemClock } from '../../base/time/wait.ts';
import type { Pong } from '../protocol/news.ts';
import type { Members } from './members.ts';

interface HeartbeatOptions {
  readonly members: Members;
  /** Undefined without an answer in time. */
  readonly ping: (member: string) => Promise<Pong | undefined>;
  /** Whether the member answered of late, whatever it was asked. */
  readonly isAnswering: (member: string) => boolean;
  /** A process answers that did not before. */
  readonly met?: (member: string) => void;
  /** The name of this process in its own answers. */
  readonly instance: string;
  readonly clock?: Clock;
}

const everyMs = 500;

/**
 * Pings every other member twice a second, so that no pull has to learn that one is gone: a node
 * that vanished refuses no connection. One that is silent for 2 s, to pings and to all questions,
 * or is leaving, is asked nothing until it answers again.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #pinging = new Map<string, Promise<void>>();

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Runs until `close`. Never rejects. */
  async run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#beat();
      await sleep(everyMs, this.#closing.signal, this.#clock).catch(() => undefined);
    }
  }

  /** Every listed member was pinged once when it resolves. */
  async once(): Promise<void> {
    this.#beat();
    await Promise.all(this.#pinging.values());
  }

  close(): void {
    this.#closing.abort();
  }

  /** Pings the member now; one that does not know yet what the list calls it may be any of them. */
  look(member: string): void {
    const { others } = this.#options.members;
    for (const each of others.includes(member) ? [member] : others) this.#look(each);
  }

  #beat(): void {
    for (const member of this.#options.members.others) this.#look(member);
  }

  #look(member: string): void {
    if (!this.#pinging.has(member)) this.#pinging.set(member, this.#ping(member));
  }

  async #ping(member: string): Promise<void> {
    const { members, ping, isAnswering, met, instance } = this.#options;
    const pong = await ping(member);
    this.#pinging.delete(member);
    if (pong?.instance === instance) members.known(member);
    else if (pong === undefined) {
      if (!isAnswering(member)) members.gone(member);
    } else if (pong.isLeaving) members.leaves(member);
    else if (members.came(member, pong.instance)) met?.(member);
  }
}
