import { createNotifier } from '../../base/flow/notifier.ts';
import { backoffMs } from '../../base/time/backoff.ts';
import { mayPass } from '../../base/time/retry.ts';
import { type CopyError, doubtfulTries } from '../failure.ts';
import { createFairScheduler, type FairScheduler } from './lanes.ts';
import { fresh, isNews, isSameWork, isWorthATry, merged } from './pending.ts';
import type { Queue, QueueOptions, TaskFilter } from './queue.ts';
import type { MirrorTask, QueuedTask } from './task.ts';
import type { TaskRecords } from './task-records.ts';

/** Where a destination's task is: exactly one of these. */
type QueueItem = IdleItem | RunningItem;

interface IdleItem {
  /** In its lane; after a failure until `notBefore`, to be tried again; or the same, given up. */
  readonly kind: 'ready' | 'paused' | 'parked';
  readonly task: QueuedTask;
}

interface RunningItem {
  readonly kind: 'running';
  readonly task: QueuedTask;
  /** Came for the same destination meanwhile. */
  readonly again: MirrorTask | undefined;
}

/** See `Queue`. Writes nothing without news, nor for a transient failure. */
export class TaskQueue implements Queue {
  readonly #options: QueueOptions;
  readonly #records: TaskRecords;
  readonly #items = new Map<string, QueueItem>();
  readonly #lanes: FairScheduler;
  /** When each of those that are paused or parked may start, by the steady clock. */
  readonly #later = new Map<string, number>();
  readonly #news = createNotifier();
  /** Those that are ready or paused. */
  #depth = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#records = options.records;
    this.#lanes = createFairScheduler(options.places ?? 24);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  /** For pauses: the wall clock may be set meanwhile. */
  #steady(): number {
    return (this.#options.steady ?? this.#options.now ?? (() => performance.now()))();
  }

  /** `startsAt`: by the steady clock. */
  #enter(
    task: QueuedTask,
    startsAt = this.#steady() + Math.max(0, task.notBefore - this.#now()),
  ): QueuedTask {
    const destination = task.destination.text;
    if (startsAt <= this.#steady()) {
      this.#items.set(destination, { kind: 'ready', task: { ...task, state: 'waiting', notBefore: 0 } });
      this.#lanes.add(laneOf(task), task.priority, destination);
    } else {
      this.#items.set(destination, { kind: task.state === 'parked' ? 'parked' : 'paused', task });
      this.#later.set(destination, startsAt);
    }
    if (this.#items.get(destination)?.kind !== 'parked') this.#depth += 1;
    this.#options.depthChanged?.(this.#depth);
    this.#news.notify();
    return task;
  }

  /** Out of line, to be put back or dropped. */
  #withdraw({ kind, task }: IdleItem): void {
    const destination = task.destination.text;
    if (kind !== 'parked') this.#depth -= 1;
    if (kind === 'ready') this.#lanes.remove(laneOf(task), task.priority, destination);
    else this.#later.delete(destination);
  }

  #enterDue(): void {
    for (const [destination, startsAt] of this.#later) {
      const item = startsAt > this.#steady() ? undefined : this.#items.get(destination);
      if (item === undefined || item.kind === 'running') continue;
      this.#withdraw(item);
      this.#enter(item.task, startsAt);
    }
  }

  #replaced(task: QueuedTask, startsAt?: number): Promise<boolean> {
    this.#enter(task, startsAt);
    return this.#records.keep(task.destination.text, task);
  }

  put(task: MirrorTask): Promise<boolean> {
    const destination = task.destination.text;
    const known = this.#items.get(destination);
    if (known === undefined) return this.#replaced(fresh(task));
    if (known.kind === 'running') return this.#putBehind(known, task);
    const mayStart = isWorthATry(known.task, task);
    const isParked = known.kind === 'parked';
    if (isParked ? !mayStart : !isNews(known.task, task)) return this.#records.kept(destination);
    const next = merged(known.task, task);
    const { attempts, doubts, notBefore, failure } = known.task;
    const startsAt = this.#later.get(destination);
    this.#withdraw(known);
    if (mayStart) return this.#replaced(fresh(next));
    const waiting = { ...fresh(next), attempts, doubts, notBefore, ...(failure && { failure }) };
    return this.#replaced(waiting, startsAt);
  }

  /** What runs may have read its source before it changed; only a digest proves that it has not. */
  #putBehind(item: RunningItem, task: MirrorTask): Promise<boolean> {
    const destination = task.destination.text;
    const known = item.again ?? item.task;
    if (isSameWork(known, task) && (item.again !== undefined || task.sourceDigest !== undefined)) {
      return this.#records.kept(destination);
    }
    const again = merged(known, task);
    this.#items.set(destination, { ...item, again });
    return this.#records.keep(destination, again);
  }

  #started(): QueuedTask | undefined {
    const key = this.#lanes.next();
    const item = key === undefined ? undefined : this.#items.get(key);
    if (key === undefined || item === undefined) return undefined;
    const task: QueuedTask = { ...item.task, state: 'running' };
    this.#items.set(key, { kind: 'running', task, again: undefined });
    this.#depth -= 1;
    return task;
  }

  /** The item that ran, no longer in the queue. */
  #ended(destination: string, isThrottled: boolean): RunningItem {
    const item = this.#items.get(destination);
    if (item?.kind !== 'running') throw new Error(`no task is running for ${destination}`);
    this.#items.delete(destination);
    this.#lanes.leave(laneOf(item.task), isThrottled);
    this.#news.notify();
    return item;
  }

  async load(signal?: AbortSignal): Promise<void> {
    for (const task of await this.#records.load(signal)) {
      if (!this.#items.has(task.destination.text)) this.#enter(task);
    }
  }

  collect(signal?: AbortSignal): Promise<void> {
    return this.#records.collect((task) => this.put(task), signal);
  }

  take(): readonly QueuedTask[] {
    this.#enterDue();
    const taken: QueuedTask[] = [];
    for (let task = this.#started(); task !== undefined; task = this.#started()) taken.push(task);
    if (taken.length > 0) this.#options.depthChanged?.(this.#depth);
    return taken;
  }

  done(destination: string): void {
    const { again } = this.#ended(destination, false);
    if (again !== undefined) this.#enter(fresh(again));
    else void this.#records.keep(destination, undefined);
  }

  failed(destination: string, failure: CopyError, sourceDigest?: string): QueuedTask {
    const { task, again } = this.#ended(destination, failure.kind === 'throttled');
    const attempts = task.attempts + (failure.kind === 'held' ? 0 : 1);
    const doubts = task.doubts + (failure.isDoubtful ? 1 : 0);
    const isTriedAgain = mayPass(failure) || (failure.isDoubtful && doubts < doubtfulTries);
    const at = this.#now();
    const afterMs = isTriedAgain
      ? pauseMs(this.#options, attempts, failure)
      : parkedMs(this.#options, failure);
    const reason = { kind: failure.kind, reason: failure.message, at };
    const outcome = { attempts, doubts, notBefore: at + afterMs, failure: reason };
    if (isTriedAgain) return this.#enter({ ...(again ?? task), ...outcome, state: 'waiting' });
    const tried = sourceDigest === undefined ? task : { ...task, sourceDigest };
    const parked: QueuedTask = { ...tried, ...outcome, state: 'parked' };
    if (again !== undefined && isWorthATry(parked, again)) return this.#enter(fresh(again));
    void this.#records.keep(destination, parked);
    return this.#enter(parked);
  }

  released(destination: string): void {
    const { task, again } = this.#ended(destination, false);
    this.#enter(again === undefined ? { ...task, state: 'waiting' } : fresh(again));
  }

  keepUnder(destination: string, backup: Parameters<Queue['keepUnder']>[1]): Promise<boolean> {
    const item = this.#items.get(destination);
    if (item === undefined) return Promise.resolve(false);
    const task = { ...item.task, ...backup };
    if (item.kind !== 'running') this.#items.set(destination, { ...item, task });
    else {
      const again = item.again?.backup === undefined ? item.again : { ...item.again, ...backup };
      this.#items.set(destination, { ...item, task, again });
      if (again !== undefined) return this.#records.keep(destination, again);
    }
    return this.#records.keep(destination, task);
  }

  retry(filter: Pick<TaskFilter, 'destination'> = {}): number {
    const failures = [...this.#matching(filter)].filter(isAfterFailure);
    for (const item of failures) {
      this.#withdraw(item);
      void this.#replaced({ ...item.task, state: 'waiting', notBefore: 0 });
    }
    return failures.length;
  }

  drop(destination: string): QueuedTask | 'running' | undefined {
    const item = this.#items.get(destination);
    if (item === undefined || item.kind === 'running') return item?.kind;
    this.#withdraw(item);
    this.#items.delete(destination);
    this.#options.depthChanged?.(this.#depth);
    void this.#records.keep(destination, undefined);
    return item.task;
  }

  *list(filter: TaskFilter = {}): Generator<QueuedTask> {
    for (const { task } of this.#matching(filter)) yield task;
  }

  count(filter: TaskFilter = {}): number {
    return [...this.#matching(filter)].length;
  }

  *#matching({ state, destination }: TaskFilter): Generator<QueueItem> {
    for (const item of this.#items.values()) {
      if (state !== undefined && item.task.state !== state) continue;
      if (destination === undefined || item.task.destination.text === destination) yield item;
    }
  }

  changed(signal: AbortSignal): Promise<void> {
    return this.#news.wait(earliest(this.#later.values()) - this.#steady(), signal);
  }

  handOver(): Promise<void> {
    return this.#records.handOver();
  }

  close(): Promise<void> {
    return this.#records.close();
  }
}

/** A release may be another process's: a held task looks at its hold so often, milliseconds. */
const heldMs = 60_000;

function isAfterFailure(item: QueueItem): item is IdleItem {
  return item.kind === 'paused' || item.kind === 'parked';
}

function laneOf({ source, destination }: MirrorTask): string {
  return `${source.registry} ${destination.registry}`;
}

function parkedMs(options: QueueOptions, { kind }: CopyError): number {
  if (kind === 'held') return heldMs;
  return kind === 'schema-1' ? Number.POSITIVE_INFINITY : (options.parkedMs ?? 86_400_000);
}

function pauseMs(options: QueueOptions, attempts: number, failure: CopyError): number {
  const { firstPauseMs = 5000, longestPauseMs = 600_000, random = Math.random } = options;
  const pauses = { firstMs: firstPauseMs, longestMs: longestPauseMs, jitter: 0.5, random };
  return (failure.retryAfterSeconds ?? 0) * 1000 + backoffMs(attempts - 1, pauses);
}

function earliest(times: Iterable<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const time of times) least = Math.min(least, time);
  return least;
}
