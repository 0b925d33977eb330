/** Waiting jobs, each with an origin, such as a client's address, and a name there. */
export interface FairQueue<Job> {
  readonly size: number;
  /**
   * Takes the job. Where the queue is full one job is refused and returned: the latest of the
   * origin, then of the name, that has most; the new one itself unless it has fewer than that.
   */
  add(job: Job, origin: string, name?: string): Job | undefined;
  /** Takes one out; harmless when it is not there. */
  delete(job: Job): void;
  /** Takes the next job: origins in turn, names of an origin in turn; only of runnable ones. */
  next(mayRun?: (origin: string, name: string) => boolean): Job | undefined;
}

interface QueuedJob<Job> {
  readonly names: Map<string, Set<Job>>;
  count: number;
}

/**
 * A queue in which no origin waits behind all that another one has put there. Its greatest size may
 * change.
 */
export function createFairQueue<Job extends object>(maxSize: number | (() => number)): FairQueue<Job> {
  const mostJobs = typeof maxSize === 'number' ? () => maxSize : maxSize;
  const origins = new Map<string, QueuedJob<Job>>();
  const places = new Map<Job, readonly [origin: string, name: string]>();

  function insert(job: Job, origin: string, name: string): void {
    const waiting = origins.get(origin) ?? { names: new Map<string, Set<Job>>(), count: 0 };
    const jobs = waiting.names.get(name) ?? new Set();
    jobs.add(job);
    waiting.names.set(name, jobs);
    waiting.count += 1;
    origins.set(origin, waiting);
    places.set(job, [origin, name]);
  }

  function remove(job: Job): void {
    const [origin, name] = places.get(job) ?? [];
    const waiting = origin === undefined ? undefined : origins.get(origin);
    if (origin === undefined || name === undefined || waiting === undefined) return;
    places.delete(job);
    waiting.count -= 1;
    const jobs = waiting.names.get(name);
    jobs?.delete(job);
    if (jobs?.size === 0) waiting.names.delete(name);
    if (waiting.count === 0) origins.delete(origin);
  }

  /** The job that gives way to one of that origin and name; undefined when that one has to. */
  function displacedBy(origin: string, name: string): Job | undefined {
    const [heaviest, waiting] = most(origins, ({ count }) => count) ?? [];
    if (waiting === undefined) return undefined;
    const [busiest, jobs] = most(waiting.names, ({ size }) => size) ?? [];
    const mine = origins.get(origin);
    const isLighter =
      heaviest === origin
        ? busiest !== name && (mine?.names.get(name)?.size ?? 0) + 1 < (jobs?.size ?? 0)
        : (mine?.count ?? 0) + 1 < waiting.count;
    return isLighter ? [...(jobs ?? [])].at(-1) : undefined;
  }

  /** Who was served goes behind the others. */
  function served(origin: string, name: string): void {
    const waiting = origins.get(origin);
    if (waiting === undefined) return;
    toEnd(origins, origin, waiting);
    const jobs = waiting.names.get(name);
    if (jobs !== undefined) toEnd(waiting.names, name, jobs);
  }

  return {
    get size() {
      return places.size;
    },
    add(job, origin, name = '') {
      if (places.size < mostJobs()) {
        insert(job, origin, name);
        return undefined;
      }
      const displaced = displacedBy(origin, name);
      if (displaced === undefined) return job;
      remove(displaced);
      insert(job, origin, name);
      return displaced;
    },
    delete: remove,
    next(mayRun = () => true) {
      for (const [origin, { names }] of origins)
        for (const [name, [job]] of names) {
          if (job === undefined || !mayRun(origin, name)) continue;
          remove(job);
          served(origin, name);
          return job;
        }
      return undefined;
    },
  };
}

function most<Value>(
  entries: ReadonlyMap<string, Value>,
  weightOf: (value: Value) => number,
): readonly [string, Value] | undefined {
  let found: readonly [string, Value] | undefined;
  for (const entry of entries)
    if (found === undefined || weightOf(entry[1]) > weightOf(found[1])) found = entry;
  return found;
}

function toEnd<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
}
