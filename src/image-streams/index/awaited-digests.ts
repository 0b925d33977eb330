import { createLru } from '../../base/state/lru.ts';
import { type Clock, systemClock, type Timer } from '../../base/time/wait.ts';

/** What became of one look. */
export type LookResult = 'known' | 'found' | 'unknown' | 'remembered' | 'unasked';

interface AwaitedDigestsOptions {
  /** The longest wait, milliseconds. Default 1,000. */
  readonly waitMs?: number;
  /** How long one that stayed unknown is not waited for again, milliseconds. Default 30,000. */
  readonly negativeMs?: number;
  readonly clock?: Clock;
}

interface Wait {
  readonly isKnown: () => boolean;
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

  /** Resolves once it is known, after the longest wait, or at once; with what happened. */
  async look(key: string, isKnown: () => boolean): Promise<LookResult> {
    if (isKnown()) return 'known';
    if (this.#unknown.get(key) !== undefined) return 'remembered';
    const wait = this.#waits.get(key) ?? this.#begun(key, isKnown);
    if (wait === undefined) return 'unasked';
    await wait.promise;
    if (isKnown()) return 'found';
    this.#unknown.set(key, true);
    return 'unknown';
  }

  /** Ends the waits for what is known by now. Call it after each change. */
  changed(): void {
    for (const wait of this.#waits.values()) if (wait.isKnown()) wait.end();
  }

  /** Ends all waits: there is nothing to wait for. */
  close(): void {
    for (const wait of this.#waits.values()) wait.end();
  }

  #begun(key: string, isKnown: () => boolean): Wait | undefined {
    if (this.#waits.size >= mostWaiting) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      wait.timer[Symbol.dispose]();
      this.#waits.delete(key);
      resolve();
    };
    const timer = this.#clock.setTimeout(end, this.#options.waitMs ?? 1_000);
    const wait: Wait = { isKnown, end, promise, timer };
    this.#waits.set(key, wait);
    return wait;
  }
}
