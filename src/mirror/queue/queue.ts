// Room `mirror/queue`: one task for each destination, kept until its copy is confirmed. In: tasks.
// Out: the next task; records for the next process. Imports: base, mirror, mirror/references; types
// of store.

import { backoffMs } from '../../base/backoff.ts';
import { createNotifier } from '../../base/notifier.ts';
import { mayPass } from '../../base/retry.ts';
import { type CopyError, doubtfulTries } from '../failure.ts';
import { createFairScheduler } from './lanes.ts';
import { fresh, isNews, isSameWork, isWorthATry, merged } from './pending.ts';
import type { MirrorTask, QueuedTask, TaskState } from './task.ts';
import type { TaskRecords } from './task-records.ts';

export interface QueueOptions {
  readonly records: TaskRecords;
  /** Images copied at a time. A pair of registries gets half at most, except misses. Default 24. */
  readonly places?: number;
  /** Pause after a first transient failure, ms; doubles, half is random. Default 5,000. */
  readonly firstPauseMs?: number;
  /** No pause of our own choice is longer, milliseconds. Default 10 min. */
  readonly longestPauseMs?: number;
  /** How long a failure that does not pass by itself is left alone, milliseconds. Default 1 day. */
  readonly parkedMs?: number;
  /** Told of how many wait now. */
  readonly depthChanged?: (waiting: number) => void;
  /** Default `Math.random`. */
  readonly random?: () => number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Which tasks. Default: every one. */
export interface TaskFilter {
  readonly state?: TaskState;
  readonly destination?: string;
}

/** Where tasks are given to. */
export interface TaskSink {
  /** Queues at once; resolves to whether it is stored. Never rejects. */
  put(task: MirrorTask): Promise<boolean>;
}

/**
 * Tasks by destination, kept in a store. A task stays until it is done: after a kill, at any
 * moment, a successor finishes it. One task at a time works on each destination.
 */
export interface Queue extends TaskSink {
  /** Begins our turn, and loads the stored tasks. To be called first; may throw. */
  load(signal?: AbortSignal): Promise<void>;
  /** Takes in what other processes have offered. Throws when the store does. */
  collect(signal?: AbortSignal): Promise<void>;
  /** The tasks to start now, most urgent first; end each by `done`, `failed` or `released`. */
  take(): readonly QueuedTask[];
  /** The image is there; a task that came meanwhile gets its turn. */
  done(destination: string): void;
  /**
   * Retried after a pause, or parked if that is useless, a doubtful failure after some minutes of
   * tries: for 24 h, refused schema 1 until its digest changes. `sourceDigest` is what was tried,
   * if known. Returns the outcome.
   */
  failed(destination: string, failure: CopyError, sourceDigest?: string): QueuedTask;
  /** Given up without being tried; it waits as before. */
  released(destination: string): void;
  /** Sets the backup's pull spec before an overwrite. Resolves to whether it is stored. */
  keepUnder(
    destination: string,
    backup: Required<Pick<MirrorTask, 'backup' | 'currentDigest'>>,
  ): Promise<boolean>;
  /** Parked and pausing tasks become ready. Returns their number. */
  retry(filter?: Pick<TaskFilter, 'destination'>): number;
  /** Ends a waiting or parked task. Returns it; undefined for none, `running` for a running one. */
  drop(destination: string): QueuedTask | 'running' | undefined;
  list(filter?: TaskFilter): Iterable<QueuedTask>;
  count(filter?: TaskFilter): number;
  /** Resolves once `take` may have something that it had not; when the signal aborts, at once. */
  changed(signal: AbortSignal): Promise<void>;
  /** The lease is lost: stops writing. Tasks that no scan finds become offers. */
  handOver(): Promise<void>;
  /** Writes what is not kept yet. */
  close(): Promise<void>;
}

interface Item {
  task: QueuedTask;
  /** Came for the same destination while the task was running. */
  again?: MirrorTask;
}

/** See `WriteQueue`. Writes nothing without news, nor for a transient failure. */
export function createQueue(options: QueueOptions): Queue {
  const { records, places = 24, now = Date.now, depthChanged = () => undefined } = options;
  const items = new Map<string, Item>();
  const ready = createFairScheduler(places);
  /** Waiting or parked until a time. */
  const later = new Map<string, number>();
  const news = createNotifier();
  let depth = 0;

  function enter({ task }: Pick<Item, 'task'>): void {
    const isDue = task.notBefore <= now();
    const { state } = task;
    const destination = task.destination.text;
    items.set(destination, { task: isDue ? { ...task, state: 'waiting', notBefore: 0 } : task });
    if (isDue || state === 'waiting') depth += 1;
    if (isDue) ready.add(laneOf(task), task.priority, destination);
    else later.set(destination, task.notBefore);
    depthChanged(depth);
    news.notify();
  }

  /** The item out of line, to be put back, run or dropped. */
  function withdrawn(item: Item): Item {
    const { task } = item;
    if (task.state === 'waiting') depth -= 1;
    const destination = task.destination.text;
    if (!later.delete(destination)) ready.remove(laneOf(task), task.priority, destination);
    return item;
  }

  function due(): void {
    for (const [destination, at] of later) {
      const item = at > now() ? undefined : items.get(destination);
      if (item !== undefined) enter(withdrawn(item));
    }
  }

  function put(task: MirrorTask): Promise<boolean> {
    const destination = task.destination.text;
    const known = items.get(destination);
    if (known === undefined) return replaced(fresh(task));
    if (known.task.state === 'running') return putBehind(known, task);
    const mayStart = isWorthATry(known.task, task);
    const isParked = known.task.state === 'parked';
    if (isParked ? !mayStart : !isNews(known.task, task)) return records.kept(destination);
    const next = merged(known.task, task);
    const { attempts, doubts, notBefore, failure } = known.task;
    withdrawn(known);
    if (mayStart) return replaced(fresh(next));
    return replaced({ ...fresh(next), attempts, doubts, notBefore, ...(failure && { failure }) });
  }

  function replaced(task: QueuedTask): Promise<boolean> {
    enter({ task });
    return records.keep(task.destination.text, task);
  }

  /** What runs may have read its source before it changed; only a digest proves that it has not. */
  function putBehind(item: Item, task: MirrorTask): Promise<boolean> {
    const known = item.again ?? item.task;
    if (isSameWork(known, task) && (item.again !== undefined || task.sourceDigest !== undefined)) {
      return records.kept(task.destination.text);
    }
    item.again = merged(known, task);
    return records.keep(task.destination.text, item.again);
  }

  function takeOne(): QueuedTask | undefined {
    const key = ready.next();
    const item = key === undefined ? undefined : items.get(key);
    if (item === undefined) return undefined;
    item.task = { ...item.task, state: 'running' };
    depth -= 1;
    return item.task;
  }

  /** The item that ran, no longer running. */
  function back(destination: string, isThrottled: boolean): Item {
    const item = items.get(destination);
    if (item?.task.state !== 'running') throw new Error(`no task is running for ${destination}`);
    items.delete(destination);
    ready.leave(laneOf(item.task), isThrottled);
    news.notify();
    return item;
  }

  function failed(destination: string, failure: CopyError, sourceDigest?: string): QueuedTask {
    const { task, again } = back(destination, failure.kind === 'throttled');
    const attempts = task.attempts + 1;
    const doubts = task.doubts + (failure.isDoubtful ? 1 : 0);
    const isTriedAgain = mayPass(failure) || (failure.isDoubtful && doubts < doubtfulTries);
    const outcome = {
      attempts,
      doubts,
      notBefore: now() + (isTriedAgain ? pauseMs(options, attempts, failure) : parkedMs(options, failure)),
      failure: { kind: failure.kind, reason: failure.message, at: now() },
    };
    if (isTriedAgain) return entered({ ...(again ?? task), ...outcome, state: 'waiting' });
    const tried = sourceDigest === undefined ? task : { ...task, sourceDigest };
    const parked: QueuedTask = { ...tried, ...outcome, state: 'parked' };
    if (again !== undefined && isWorthATry(parked, again)) return entered(fresh(again));
    void records.keep(destination, parked);
    return entered(parked);
  }

  function entered(task: QueuedTask): QueuedTask {
    enter({ task });
    return task;
  }

  return {
    put,
    failed,
    async load(signal) {
      for (const task of await records.load(signal)) {
        if (!items.has(task.destination.text)) enter({ task });
      }
    },
    collect: (signal) => records.collect((task) => put(task), signal),
    take() {
      due();
      const taken: QueuedTask[] = [];
      for (let task = takeOne(); task !== undefined; task = takeOne()) taken.push(task);
      if (taken.length > 0) depthChanged(depth);
      return taken;
    },
    done(destination) {
      const { again } = back(destination, false);
      if (again !== undefined) enter({ task: fresh(again) });
      else void records.keep(destination, undefined);
    },
    released(destination) {
      const { task, again } = back(destination, false);
      enter({ task: again === undefined ? { ...task, state: 'waiting' } : fresh(again) });
    },
    keepUnder(destination, backup) {
      const item = items.get(destination);
      if (item === undefined) return Promise.resolve(false);
      item.task = { ...item.task, ...backup };
      if (item.again?.backup !== undefined) item.again = { ...item.again, ...backup };
      return records.keep(destination, item.again ?? item.task);
    },
    retry(filter = {}) {
      const failures = [...matching(items, filter)].filter((task) => later.has(task.destination.text));
      for (const task of failures) {
        const item = items.get(task.destination.text);
        if (item === undefined) continue;
        withdrawn(item);
        void replaced({ ...task, state: 'waiting', notBefore: 0 });
      }
      return failures.length;
    },
    drop(destination) {
      const item = items.get(destination);
      if (item === undefined) return undefined;
      if (item.task.state === 'running') return 'running';
      withdrawn(item);
      items.delete(destination);
      depthChanged(depth);
      void records.keep(destination, undefined);
      return item.task;
    },
    list: (filter = {}) => matching(items, filter),
    count: (filter = {}) => [...matching(items, filter)].length,
    changed: (signal) => news.wait(earliest(later.values()) - now(), signal),
    handOver: () => records.handOver(),
    close: () => records.close(),
  };
}

function laneOf({ source, destination }: MirrorTask): string {
  return `${source.registry} ${destination.registry}`;
}

function parkedMs(options: QueueOptions, { kind }: CopyError): number {
  return kind === 'schema-1' ? Number.POSITIVE_INFINITY : (options.parkedMs ?? 86_400_000);
}

function pauseMs(options: QueueOptions, attempts: number, failure: CopyError): number {
  const { firstPauseMs = 5000, longestPauseMs = 600_000, random = Math.random } = options;
  const pauses = { firstMs: firstPauseMs, longestMs: longestPauseMs, jitter: 0.5, random };
  return (failure.retryAfterSeconds ?? 0) * 1000 + backoffMs(attempts - 1, pauses);
}

function* matching(items: ReadonlyMap<string, Item>, filter: TaskFilter): Generator<QueuedTask> {
  for (const { task } of items.values()) {
    if (filter.state !== undefined && task.state !== filter.state) continue;
    if (filter.destination === undefined || task.destination.text === filter.destination) yield task;
  }
}

function earliest(times: Iterable<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const time of times) least = Math.min(least, time);
  return least;
}
