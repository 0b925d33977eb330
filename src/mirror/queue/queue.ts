// Room `mirror/queue`: one task for each destination, kept until its copy is confirmed. In: tasks.
// Out: the next task; records for the next process. Imports: base, mirror, mirror/references; types
// of store.

import type { CopyError } from '../failure.ts';
import type { MirrorTask, QueuedTask, TaskState } from './task.ts';
import { TaskQueue } from './task-queue.ts';
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
  readonly depthChanged?: (waiting: number) => void;
  /** Default `Math.random`. */
  readonly random?: () => number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** For pauses; never goes back. Default `now` where that is given, else `performance.now`. */
  readonly steady?: () => number;
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
  close(): Promise<void>;
}

/** A queue in which nothing waits before `load`. */
export function createQueue(options: QueueOptions): Queue {
  return new TaskQueue(options);
}
