import { WriteLanes } from '../flow/lanes.ts';
import { backoffMs } from '../time/backoff.ts';
import { type Clock, systemClock, type Timer } from '../time/wait.ts';

interface WriteBehindOptions<Job> {
  /** Does the job; a rejection means "again later". */
  readonly write: (key: string, job: Job) => Promise<void>;
  /** The owner of a job: owners take turns, and the largest one loses jobs first. Default: one. */
  readonly laneOf?: (job: Job) => string;
  /** Told of a waiting job whose place a later one of its key takes. */
  readonly replaced?: (before: Job, job: Job) => void;
  /** Told of each job that is done; may add others, which are then waited for. */
  readonly written?: (key: string) => void;
  /** Told of each failure; the job stays. */
  readonly failed?: (error: unknown) => void;
  /** Told of a job that is given up because more than `maxWaiting` wait. */
  readonly dropped?: (key: string, job: Job) => void;
  /** Jobs under way at a time. Default 8. */
  readonly concurrency?: number;
  /** Jobs kept while the medium is down. Default 10,000. */
  readonly maxWaiting?: number;
  /** Pause after a first failure, milliseconds; doubles up to 64 times that. Default 1,000. */
  readonly retryMs?: number;
  readonly clock?: Clock;
}

/** A running job, and the latest of its key that came meanwhile: one after another. */
interface Running<Job> {
  readonly job: Job;
  next: { readonly job: Job } | undefined;
}

/**
 * Work that may wait: each key's latest job is done once, soon, and again later when it failed. The
 * queue is bounded; after a failure all jobs pause, so that a broken medium gets a few calls a
 * minute, not one per job.
 */
export class WriteBehind<Job> {
  readonly #options: WriteBehindOptions<Job>;
  readonly #jobs = new WriteLanes<Job>();
  readonly #running = new Map<string, Running<Job>>();
  readonly #idle: (() => void)[] = [];
  /** Failures in a row; 0 while the medium works. */
  #failures = 0;
  #pause: Timer | undefined;
  #beginning: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(options: WriteBehindOptions<Job>) {
    this.#options = options;
  }

  /**
   * Takes the job at once and returns; a waiting job of the same key is replaced. The queue begins
   * it after the code that runs now: what comes for a key in several steps is one job.
   */
  add(key: string, job: Job): void {
    if (this.#isClosed) {
      this.#options.dropped?.(key, job);
      return;
    }
    this.#put(key, job);
    this.#beginning ??= setImmediate(() => {
      this.#beginning = undefined;
      this.#pump();
    });
  }

  /** The latest job of that key that is not done yet. */
  waiting(key: string): Job | undefined {
    const running = this.#running.get(key);
    return (running === undefined ? undefined : (running.next ?? running).job) ?? this.#jobs.get(key);
  }

  /** Resolves once nothing waits, or waiting writes were retried and failed. Never rejects. */
  settled(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    this.#resume();
    return promise;
  }

  /** As settled, and nothing is tried afterwards. */
  async close(): Promise<void> {
    await this.settled();
    this.#isClosed = true;
    this.#pause?.[Symbol.dispose]();
  }

  #put(key: string, job: Job): void {
    const running = this.#running.get(key);
    const before = running === undefined ? this.#jobs.get(key) : running.next?.job;
    if (before !== undefined) this.#options.replaced?.(before, job);
    if (running !== undefined) {
      running.next = { job };
      return;
    }
    this.#jobs.set(this.#options.laneOf?.(job) ?? '', key, job);
    const { maxWaiting = 10_000 } = this.#options;
    if (this.#jobs.size > maxWaiting) this.#pump();
    const dropped = this.#jobs.size > maxWaiting ? this.#jobs.takeFromLongest() : undefined;
    if (dropped !== undefined) this.#options.dropped?.(dropped.key, dropped.job);
  }

  #pump(): void {
    const { concurrency = 8 } = this.#options;
    while (this.#pause === undefined && !this.#isClosed && this.#running.size < concurrency) {
      const taken = this.#jobs.take();
      if (taken === undefined) break;
      this.#start(taken.key, taken.job);
    }
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #start(key: string, job: Job): void {
    const running: Running<Job> = { job, next: undefined };
    this.#running.set(key, running);
    this.#options.write(key, job).then(
      () => {
        this.#failures = 0;
        this.#options.written?.(key);
        this.#ended(key, running.next);
      },
      (error: unknown) => {
        this.#options.failed?.(error);
        if (this.#pause === undefined) this.#pauseAfterFailure();
        this.#ended(key, running.next ?? running);
      },
    );
  }

  #ended(key: string, next: { readonly job: Job } | undefined): void {
    this.#running.delete(key);
    if (next !== undefined) this.#put(key, next.job);
    this.#pump();
  }

  #pauseAfterFailure(): void {
    const { retryMs = 1_000, clock = systemClock } = this.#options;
    const pauseMs = backoffMs(this.#failures, { firstMs: retryMs, longestMs: 64 * retryMs });
    this.#failures += 1;
    this.#pause = clock.setTimeout(() => this.#resume(), pauseMs);
    this.#pause.unref();
  }

  #resume(): void {
    this.#pause?.[Symbol.dispose]();
    this.#pause = undefined;
    this.#pump();
  }
}
