/** Work that may wait: each key's latest job is done once, soon, and again later when it failed. */
export interface WriteBehind<Job> {
  /** Takes the job at once and returns; a waiting job of the same key is replaced. */
  add(key: string, job: Job): void;
  /** The latest job of that key that is not done yet. */
  waiting(key: string): Job | undefined;
  /** Resolves once nothing waits, or once what waits has been tried again and failed. Never rejects. */
  settled(): Promise<void>;
  /** As settled, and nothing is tried afterwards. */
  close(): Promise<void>;
}

export interface WriteBehindOptions<Job> {
  /** Does the job; a rejection means "again later". */
  readonly write: (key: string, job: Job) => Promise<void>;
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
}

interface State<Job> {
  readonly jobs: Map<string, Job>;
  readonly idle: (() => void)[];
  /** Keys whose job is under way: a key's jobs are done one after another, so the latest one wins. */
  readonly running: Map<string, Job>;
  /** Failures in a row; 0 while the medium works. */
  failures: number;
  pause: NodeJS.Timeout | undefined;
  closed: boolean;
}

/**
 * A bounded queue before a medium that may be slow or down. After a failure everything pauses, so that a broken
 * medium is asked a few times a minute and not once per job.
 */
export function writeBehind<Job>(options: WriteBehindOptions<Job>): WriteBehind<Job> {
  const state: State<Job> = {
    jobs: new Map(),
    idle: [],
    running: new Map(),
    failures: 0,
    pause: undefined,
    closed: false,
  };
  return {
    add(key, job) {
      if (state.closed) return options.dropped?.(key, job);
      makeRoom(state, options, key);
      state.jobs.set(key, job);
      pump(state, options);
    },
    waiting: (key) => state.jobs.get(key) ?? state.running.get(key),
    settled: () => settled(state, options),
    async close() {
      await settled(state, options);
      state.closed = true;
      clearTimeout(state.pause);
    },
  };
}

function settled<Job>(state: State<Job>, options: WriteBehindOptions<Job>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  state.idle.push(resolve);
  resume(state, options);
  return promise;
}

function makeRoom<Job>(state: State<Job>, options: WriteBehindOptions<Job>, key: string): void {
  if (state.jobs.has(key) || state.jobs.size < (options.maxWaiting ?? 10_000)) return;
  for (const [oldest, job] of state.jobs) {
    state.jobs.delete(oldest);
    options.dropped?.(oldest, job);
    return;
  }
}

function pump<Job>(state: State<Job>, options: WriteBehindOptions<Job>): void {
  for (const [key, job] of state.jobs) {
    if (state.pause !== undefined || state.closed || state.running.size >= (options.concurrency ?? 8)) break;
    if (state.running.has(key)) continue;
    state.jobs.delete(key);
    state.running.set(key, job);
    options.write(key, job).then(
      () => ended(state, options, key),
      (error: unknown) => {
        if (!state.jobs.has(key)) state.jobs.set(key, job);
        options.failed?.(error);
        ended(state, options, key, true);
      },
    );
  }
  if (state.running.size === 0) for (const resolve of state.idle.splice(0)) resolve();
}

function ended<Job>(
  state: State<Job>,
  options: WriteBehindOptions<Job>,
  key: string,
  hasFailed = false,
): void {
  state.running.delete(key);
  if (!hasFailed) state.failures = 0;
  else if (state.pause === undefined) pauseAfterFailure(state, options);
  pump(state, options);
}

function pauseAfterFailure<Job>(state: State<Job>, options: WriteBehindOptions<Job>): void {
  const pauseMs = (options.retryMs ?? 1_000) * 2 ** Math.min(state.failures, 6);
  state.failures += 1;
  state.pause = setTimeout(() => resume(state, options), pauseMs);
  state.pause.unref();
}

function resume<Job>(state: State<Job>, options: WriteBehindOptions<Job>): void {
  clearTimeout(state.pause);
  state.pause = undefined;
  pump(state, options);
}
