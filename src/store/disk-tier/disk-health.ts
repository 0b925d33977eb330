import { createOutage, type Outage } from '../../base/state/outage.ts';
import type { DiskTierEvents } from './events.ts';

interface DiskHealthOptions {
  readonly events: Pick<DiskTierEvents, 'diskUsabilityChanged' | 'diskFailed'>;
  /** Milliseconds since some point in time; must not go back. */
  readonly now: () => number;
}

/** A disk that failed is written to again after this time, milliseconds. */
const pauseMs = 30_000;

/**
 * Whether the disk takes files. One that failed is left alone for 30 s: each try costs a call to
 * the medium behind it, whose body would be thrown away.
 */
export class DiskHealth {
  readonly #options: DiskHealthOptions;
  readonly #outage: Outage;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: DiskHealthOptions) {
    const { events } = options;
    this.#options = options;
    this.#outage = createOutage({
      began: (error) => events.diskUsabilityChanged({ isUsable: false, error }),
      ended: () => events.diskUsabilityChanged({ isUsable: true }),
    });
  }

  get mayWrite(): boolean {
    return this.#options.now() >= this.#pausedUntil;
  }

  wrote(): void {
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
    this.#outage.worked();
  }

  writeFailed(error: unknown): void {
    this.#pausedUntil = this.#options.now() + pauseMs;
    this.#options.events.diskFailed({ operation: 'write', error });
    this.#outage.failed(error);
  }

  /** Of one file: the others may be well. */
  readFailed(error: unknown): void {
    this.#options.events.diskFailed({ operation: 'read', error });
  }
}
