import { createLru } from '../../base/state/lru.ts';
import { type Clock, systemClock, type Timer } from '../../base/time/wait.ts';

/** What became of one look; `known`: nothing new of a digest that streams name. */
export type LookResult = 'known' | AwaitedResult;

type AwaitedResult = 'found' | 'unknown' | 'remembered' | 'unasked';

interface AwaitedDigestsOptions {
  /** The longest wait, milliseconds. Default 1,000. */
  readonly waitMs?: number;
  /** How long one of which nothing new came is not waited for again, ms. Default 30,000. */
  readonly negativeMs?: number;
  readonly clock?: Clock;
}

interface Wait {
  readonly isNews: () => boolean;
  readonly end: () => void;
  readonly promise: Promise<void>;
  readonly timer: Timer;
}

/** More are not waited for: each holds a request. */
const mostWaiting = 1_000;
const mostRemembered = 10_000;

/** Waits for digests that the watch may be about to tell of. */
export class AwaitedDigests {
  readonly #options: AwaitedDigestsOptions;
  readonly #clock: Clock;
  readonly #waits = new Map<string, Wait>();
  readonly #unknown;

  constructor(options: AwaitedDigestsOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#unknown = createLru<string, true>(mostRemembered, { keepMs: options.negativeMs ?? 30_000 });
  }

  /**
   * Resolves once there is news, after the longest wait, or at once; with what happened. A digest
   * that is known is waited for like any other: the time of a refusal tells nothing of it.
   */
  async look(key: string, isNews: () => boolean): Promise<AwaitedResult> {
    if (this.#unknown.get(key) !== undefined) return 'remembered';
    const wait = this.#waits.get(key) ?? this.#begun(key, isNews);
    if (wait === undefined) return 'unasked';
    await wait.promise;
    if (wait.isNews()) return 'found';
    this.#unknown.set(key, true);
    return 'unknown';
  }

  /** Ends the waits for digests of which there is news. Call it after each change. */
  changed(): void {
    for (const wait of this.#waits.values()) if (wait.isNews()) wait.end();
  }

  /** Ends all waits: there is nothing to wait for. */
  close(): void {
    for (const wait of this.#waits.values()) wait.end();
  }

  #begun(key: string, isNews: () => boolean): Wait | undefined {
    if (this.#waits.size >= mostWaiting) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      wait.timer[Symbol.dispose]();
      this.#waits.delete(key);
      resolve();
    };
    const timer = this.#clock.setTimeout(end, this.#options.waitMs ?? 1_000);
    const wait: Wait = { isNews, end, promise, timer };
    this.#waits.set(key, wait);
    return wait;
  }
}
