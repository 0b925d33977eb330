import { shared } from '../../../base/flow/single-flight.ts';
import { backoffMs } from '../../../base/time/backoff.ts';
import { type Clock, fairTimer, systemClock, type Timer } from '../../../base/time/wait.ts';
import { RegistryError } from '../../../oci/errors.ts';
import type { StoreEvents } from '../../store.ts';

export interface S3BreakerOptions {
  /** Whether S3 stores an object and delivers it again in good time. Never throws. */
  readonly probe: () => Promise<boolean>;
  /** Calls without an answer, or objects cut short, in a row that open it. Default 3. */
  readonly failures?: number;
  /**
   * Pause before the first probe, in ms; doubles up to 5 times that. Default 1,000: an S3 that is
   * well again is used within 8 s, the probe itself included.
   */
  readonly probeAfterMs?: number;
  readonly events?: Partial<StoreEvents>;
  readonly clock?: Clock;
}

interface S3Attempt {
  /**
   * Aborts at the call's deadline, when the caller leaves, when the breaker opens, and when the
   * call ends otherwise than `answered`: it may have opened a body that no reader has.
   */
  readonly signal: AbortSignal;
  /** Ends the deadline and counts the outcome; `unknown` when the caller ended it. */
  ended(outcome: 'answered' | 'failed' | 'unknown', failure?: unknown): void;
}

/** A success is believed for so long by `isUsable`, in milliseconds. */
const believedMs = 5_000;

/**
 * Stands before every call to S3. After some failures in a row it refuses calls at once, cuts those
 * that still wait, and probes in the background until S3 answers again. Calls and bodies count
 * apart: an S3 may answer at once and deliver nothing.
 */
export class S3Breaker {
  readonly #options: S3BreakerOptions;
  readonly #clock: Clock;
  readonly #waiting = new Set<AbortController>();
  readonly #cut = new Set<string>();
  #failures = 0;
  #isOpen = false;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #probes = 0;
  #timer: Timer | undefined;
  /** The last failure, to be named while open. */
  #last: unknown;
  readonly #probed = shared(async () => {
    const isWell = await this.#options.probe();
    if (isWell) this.#answered();
    return isWell;
  });

  constructor(options: S3BreakerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Throws `UNAVAILABLE` while open. */
  check(): void {
    if (!this.#isOpen) return;
    throw new RegistryError('UNAVAILABLE', leftAlone, { retryAfterSeconds: 5, cause: this.#last });
  }

  /**
   * Begins a call; throws `UNAVAILABLE` while open. With `silentMs` it also ends once S3 has
   * answered nothing for so long, this call and all others: one that is slow answers some.
   */
  begin(deadlineMs: number, caller?: AbortSignal, silentMs?: number): S3Attempt {
    this.check();
    const control = new AbortController();
    const late = (): void => control.abort(new Error(`S3 did not answer within ${deadlineMs} ms`));
    const left = (): void => control.abort(caller?.reason);
    const timer = fairTimer(late, deadlineMs, this.#clock);
    const quiet = (): void => control.abort(new Error(`S3 answered nothing for ${silentMs} ms`));
    const silence = silentMs === undefined ? undefined : this.#onSilence(silentMs, quiet);
    caller?.addEventListener('abort', left, { once: true });
    this.#waiting.add(control);
    return {
      signal: control.signal,
      ended: (outcome, failure) => {
        timer[Symbol.dispose]();
        silence?.[Symbol.dispose]();
        this.#waiting.delete(control);
        if (outcome !== 'answered') {
          // The caller may still end the body that an answered call has opened; any other has none.
          caller?.removeEventListener('abort', left);
          control.abort(failure);
        }
        if (outcome === 'answered') this.#answered();
        if (outcome === 'failed') this.#failed(failure);
      },
    };
  }

  /** A body came whole and in good time. */
  delivered(): void {
    this.#answeredAt = this.#clock.now();
    this.#cut.clear();
  }

  /** A body broke off, stalled or was too slow. One bad object, read often, counts once. */
  brokeOff(key: string): void {
    this.#cut.add(key);
    if (this.#cut.size >= this.#mostFailures) this.#open();
  }

  /** By the last 5 s or an open breaker, else by one shared probe. */
  async isUsable(): Promise<boolean> {
    if (this.#isOpen) return false;
    return this.#clock.now() - this.#answeredAt < believedMs || this.#probed();
  }

  close(): void {
    this.#timer?.[Symbol.dispose]();
  }

  #onSilence(silentMs: number, callback: () => void): Disposable {
    const look = (): void => {
      const leftMs = this.#answeredAt + silentMs - this.#clock.now();
      if (leftMs <= 0) callback();
      else timer = fairTimer(look, leftMs, this.#clock);
    };
    let timer = fairTimer(look, silentMs, this.#clock);
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  get #mostFailures(): number {
    return this.#options.failures ?? 3;
  }

  #answered(): void {
    this.#failures = 0;
    this.#answeredAt = this.#clock.now();
  }

  #failed(failure: unknown): void {
    this.#last = failure;
    this.#failures += 1;
    if (this.#failures >= this.#mostFailures) this.#open();
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#probes = 0;
    for (const control of this.#waiting) control.abort(new Error(leftAlone, { cause: this.#last }));
    this.#options.events?.availabilityChanged?.({ isAvailable: false, error: this.#last });
    this.#probeLater();
  }

  #probeLater(): void {
    const { probeAfterMs: firstMs = 1_000 } = this.#options;
    const pauseMs = backoffMs(this.#probes, { firstMs, longestMs: 5 * firstMs });
    this.#probes += 1;
    this.#timer = this.#clock.setTimeout(() => void this.#probeAgain(), pauseMs);
    this.#timer.unref();
  }

  async #probeAgain(): Promise<void> {
    if (await this.#probed()) this.#mend();
    else this.#probeLater();
  }

  #mend(): void {
    this.#isOpen = false;
    this.#cut.clear();
    this.#options.events?.availabilityChanged?.({ isAvailable: true });
  }
}

const leftAlone =
  'the S3 circuit breaker is open after repeated failures; calls resume once a probe succeeds';
