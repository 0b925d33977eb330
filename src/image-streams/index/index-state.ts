import { type Clock, systemClock, type Timer } from '../../base/time/wait.ts';
import type { StreamIndexState } from '../stream-index.ts';

interface IndexStateOptions {
  /** What is followed: one name for each list and watch. */
  readonly parts: readonly string[];
  /** How long what is known counts while the cluster does not answer, milliseconds. */
  readonly staleMs: number;
  readonly clock?: Clock;
  readonly changed?: (state: StreamIndexState) => void;
}

/** The state of an index, by what following its parts reports. */
export class IndexState {
  readonly #options: IndexStateOptions;
  readonly #clock: Clock;
  readonly #unlisted: Set<string>;
  readonly #failing = new Set<string>();
  /** When all parts were last known to be current, by the clock. */
  #currentAt: number | undefined;
  #expiry: Timer | undefined;
  #told: StreamIndexState = 'syncing';

  constructor(options: IndexStateOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#unlisted = new Set(options.parts);
  }

  get state(): StreamIndexState {
    if (this.#unlisted.size > 0) return 'syncing';
    if (this.#failing.size === 0) return 'synced';
    return this.#clock.now() - (this.#currentAt ?? 0) < this.#options.staleMs ? 'stale' : 'expired';
  }

  listed(part: string): void {
    this.#unlisted.delete(part);
    this.current(part);
  }

  current(part: string): void {
    this.#failing.delete(part);
    if (this.#failing.size === 0 && this.#unlisted.size === 0) {
      this.#currentAt = this.#clock.now();
      this.#expiry?.[Symbol.dispose]();
      this.#expiry = undefined;
    }
    this.#tell();
  }

  failing(part: string): void {
    if (this.#unlisted.size === 0 && this.#failing.size === 0) {
      this.#currentAt = this.#clock.now();
      this.#expiry = this.#clock.setTimeout(() => this.#tell(), this.#options.staleMs);
      this.#expiry.unref();
    }
    this.#failing.add(part);
    this.#tell();
  }

  close(): void {
    this.#expiry?.[Symbol.dispose]();
  }

  #tell(): void {
    const { state } = this;
    if (state === this.#told) return;
    this.#told = state;
    this.#options.changed?.(state);
  }
}
