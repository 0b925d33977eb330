import { LoadFailure } from '../client/failure.ts';
import type { LoadRecorder } from '../recorder.ts';
import type { Arrival } from '../work.ts';

interface WorkOptions {
  readonly recorder: LoadRecorder;
  /** Rejects with LoadFailure, or, once the load is over, with anything. */
  readonly work: (arrival: Arrival) => Promise<void>;
  /** Since the start, milliseconds. */
  readonly now: () => number;
}

/** What is begun and not ended, told to the recorder at both times. */
export class WorkUnderWay {
  readonly #options: WorkOptions;
  readonly #running = new Map<Promise<void>, Arrival>();
  #isOver = false;

  constructor(options: WorkOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#running.size;
  }

  /** Does the work; resolves at its end, whatever that is. */
  begin(arrival: Arrival): Promise<void> {
    const { recorder, now } = this.#options;
    recorder.started(now());
    const run = this.#done(arrival).finally(() => void this.#running.delete(run));
    this.#running.set(run, arrival);
    return run;
  }

  /** Resolves once nothing is under way. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.keys());
  }

  /**
   * From now on nothing counts. What is under way, and what was due and never begun, is unfinished:
   * where it had its time, it took at least as long as it has waited.
   */
  over(neverBegun: readonly Arrival[], hadTime: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const arrival of this.#running.values()) this.#unfinished(arrival, hadTime);
    for (const arrival of neverBegun) {
      this.#options.recorder.started(this.#options.now());
      this.#unfinished(arrival, hadTime);
    }
  }

  async #done(arrival: Arrival): Promise<void> {
    const { recorder, work, now } = this.#options;
    try {
      await work(arrival);
      if (!this.#isOver) recorder.ended('finished', now(), now() - arrival.atMs);
    } catch (error) {
      if (this.#isOver) return;
      const { kind, message } = error instanceof LoadFailure ? error : unexpected(error);
      recorder.error(kind, message, now());
      recorder.ended('failed', now(), now() - arrival.atMs);
    }
  }

  #unfinished({ atMs }: Arrival, hadTime: boolean): void {
    const { recorder, now } = this.#options;
    recorder.ended('unfinished', now(), now() - atMs);
    if (!hadTime) return;
    recorder.latency('image', 'unfinished', now() - atMs);
    recorder.error('unfinished', `work due at ${Math.round(atMs)} ms was not done at the end`, now());
  }
}

function unexpected(error: unknown): { readonly kind: string; readonly message: string } {
  return { kind: 'other', message: error instanceof Error ? error.message : String(error) };
}
