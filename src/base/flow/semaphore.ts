// Room `base/flow`: how calls share and wait for each other: semaphore, single flight, fair queue,
// notifier, lists worked at side by side. In: nothing of ours. Out: functions and classes without a
// subject. Imports: base/time, node.

import { unlessAborted } from '../time/wait.ts';

interface SemaphoreOptions {
  /** Holders at a time under each key; a function that says how many there may be by now. */
  readonly permits: number | (() => number);
  /** Waiters under each key. Default: any number. */
  readonly maxWaiting?: number;
  /** What one waiter too many is refused with. */
  readonly full?: () => Error;
}

/** Gives the permit back. Only the first call counts. */
type Release = () => void;

interface SemaphorePlace {
  held: number;
  readonly waiting: Set<() => void>;
}

/** Permits under each key, first come, first served. */
export class Semaphore {
  readonly #options: SemaphoreOptions;
  readonly #places = new Map<string, SemaphorePlace>();

  constructor(options: SemaphoreOptions) {
    this.#options = options;
  }

  /** Resolves once there is a permit. Rejects with the signal's reason, and with `full`. */
  async acquire(signal?: AbortSignal, key = ''): Promise<Release> {
    const place = await this.#enter(key, signal);
    let isHeld = true;
    return () => {
      if (isHeld) this.#release(key, place);
      isHeld = false;
    };
  }

  /** Does the work with a permit, which it gives back at its end. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal, key = ''): Promise<T> {
    const place = await this.#enter(key, signal);
    try {
      return await work();
    } finally {
      this.#release(key, place);
    }
  }

  async #enter(key: string, signal: AbortSignal | undefined): Promise<SemaphorePlace> {
    signal?.throwIfAborted();
    const place = this.#places.get(key) ?? { held: 0, waiting: new Set() };
    this.#places.set(key, place);
    if (place.held < this.#permits) place.held += 1;
    else await this.#turn(key, place, signal);
    return place;
  }

  get #permits(): number {
    const { permits } = this.#options;
    return typeof permits === 'number' ? permits : permits();
  }

  async #turn(key: string, place: SemaphorePlace, signal: AbortSignal | undefined): Promise<void> {
    const { maxWaiting = Number.POSITIVE_INFINITY, full = () => new Error('too many wait') } = this.#options;
    if (place.waiting.size >= maxWaiting) throw full();
    const { promise, resolve } = Promise.withResolvers<void>();
    place.waiting.add(resolve);
    try {
      await unlessAborted(promise, signal);
    } catch (error) {
      const isGranted = !place.waiting.delete(resolve);
      if (isGranted) this.#release(key, place);
      throw error;
    }
  }

  #release(key: string, place: SemaphorePlace): void {
    place.held -= 1;
    for (const next of place.waiting) {
      if (place.held >= this.#permits) break;
      place.held += 1;
      place.waiting.delete(next);
      next();
    }
    if (place.held === 0 && place.waiting.size === 0) this.#places.delete(key);
  }
}
