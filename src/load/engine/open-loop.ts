import type { Clock } from '../../base/time/wait.ts';
import { sleep } from '../../base/time/wait.ts';
import type { LatencyHistogram } from '../histogram.ts';
import type { LoadRecorder } from '../recorder.ts';
import type { Arrival, Arrivals } from '../work.ts';
import { type LoadBounds, type LoadEnd, reachedBound } from './bounds.ts';
import { WorkUnderWay } from './work-under-way.ts';

export interface LoadLoopOptions {
  readonly arrivals: Arrivals;
  readonly work: (arrival: Arrival) => Promise<void>;
  readonly bounds: LoadBounds;
  readonly recorder: LoadRecorder;
  /** How late arrivals are begun, milliseconds; not those that waited for `maxConcurrency`. */
  readonly lag: LatencyHistogram;
  readonly heldBack: () => void;
  /** Runs from 0 at the start of the load. */
  readonly clock: Clock;
  /** Aborts when someone stops the load, or a bound is reached. */
  readonly signal: AbortSignal;
}

/** Beyond these the oldest are given up: a target that answers nothing must not fill the memory. */
const mostWaiting = 100_000;

/**
 * Begins each arrival when it is due, whatever became of those before. Resolves when the last work
 * has ended, or its time is over; the caller then aborts what is left.
 */
export async function openLoop(options: LoadLoopOptions): Promise<LoadEnd> {
  const { bounds, recorder, clock, signal } = options;
  const loop = new OpenLoop(options);
  let end: LoadEnd = 'trace';
  try {
    for await (const arrival of options.arrivals) {
      if (arrival.atMs >= bounds.durationMs) {
        end = 'duration';
        break;
      }
      const bound = reachedBound(recorder.totals, bounds);
      if (bound !== undefined) return loop.cutOff(bound);
      const waitMs = arrival.atMs - clock.now();
      if (waitMs > 0) await sleep(waitMs, signal, clock);
      signal.throwIfAborted();
      loop.due(arrival);
    }
    return (await loop.drained()) ?? end;
  } catch (error) {
    if (!signal.aborted) throw error;
    return loop.cutOff(reachedBound(recorder.totals, bounds) ?? 'stopped');
  }
}

class OpenLoop {
  readonly #options: LoadLoopOptions;
  readonly #underWay: WorkUnderWay;
  readonly #waiting: Arrival[] = [];

  constructor(options: LoadLoopOptions) {
    this.#options = options;
    this.#underWay = new WorkUnderWay({ ...options, now: () => options.clock.now() });
  }

  due(arrival: Arrival): void {
    const { recorder, bounds, lag, clock, heldBack } = this.#options;
    recorder.due(arrival.atMs);
    if (this.#underWay.count >= bounds.maxConcurrency) {
      heldBack();
      if (this.#waiting.length < mostWaiting) this.#waiting.push(arrival);
      else recorder.error('not begun', 'more work was due than this generator remembers', clock.now());
      return;
    }
    lag.record(Math.max(0, clock.now() - arrival.atMs));
    this.#begin(arrival);
  }

  /** After the last arrival: until nothing is left, or for as long as is set. */
  async drained(): Promise<LoadEnd | undefined> {
    const { bounds, clock, signal } = this.#options;
    const late = new AbortController();
    const given = AbortSignal.any([signal, late.signal]);
    const timeUp = sleep(bounds.drainMs, given, clock).then(
      () => 'late' as const,
      () => 'stopped' as const,
    );
    const first = await Promise.race([this.#emptied(), timeUp]);
    late.abort();
    if (first === 'stopped') return this.cutOff(this.#bound() ?? 'stopped');
    this.#underWay.over(this.#waiting, first === 'late');
    return undefined;
  }

  /** Ended by us: what is under way says nothing about the target. */
  cutOff(end: LoadEnd): LoadEnd {
    this.#underWay.over(this.#waiting, false);
    return end;
  }

  #bound(): LoadEnd | undefined {
    return reachedBound(this.#options.recorder.totals, this.#options.bounds);
  }

  async #emptied(): Promise<'empty'> {
    await this.#underWay.ended();
    return 'empty';
  }

  #begin(arrival: Arrival): void {
    const next = (): void => {
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) this.#begin(waiting);
    };
    this.#underWay.begin(arrival).then(next, next);
  }
}
