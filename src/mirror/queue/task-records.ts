import { randomUUID } from 'node:crypto';
import { concurrently } from '../../base/flow/each.ts';
import { WriteBehind } from '../../base/state/write-behind.ts';
import type { Records } from '../../store/records.ts';
import { isFoundByLooking } from './pending.ts';
import type { MirrorTask, QueuedTask } from './task.ts';
import { longestTrace, offeredPrefix, parseTask, queuedPrefix, taskBytes, taskKey } from './task-record.ts';
import { createFencedRecords } from './turn-records.ts';

interface TaskRecordsOptions {
  readonly records: Records;
  /** Told of each failure of the store. What could not be written is tried again. */
  readonly storeFailed?: (event: { readonly operation: 'read' | 'write'; readonly error: unknown }) => void;
  /** Records written at a time. Default 16. */
  readonly concurrency?: number;
  /** Pause after a first failed write, milliseconds; doubles up to 64 times that. Default 1,000. */
  readonly retryMs?: number;
}

/** The stored tasks of a queue: the latest state of each destination, however often it changes. */
export interface TaskRecords {
  /** Begins our turn and loads all tasks; writes of earlier turns fail from now on. Throws. */
  load(signal?: AbortSignal): Promise<readonly QueuedTask[]>;
  /** Writes the task, or with undefined deletes it. Resolves to whether it is stored. */
  keep(destination: string, task: MirrorTask | QueuedTask | undefined): Promise<boolean>;
  /** Resolves like the last pending `keep` of that destination, and to true when there is none. */
  kept(destination: string): Promise<boolean>;
  /** Takes over offers of other processes: `taken` must resolve to true before one is deleted. */
  collect(taken: (task: QueuedTask) => Promise<boolean>, signal?: AbortSignal): Promise<void>;
  /** The lease is lost: stops writing. Offers tasks that no scan finds. Never rejects. */
  handOver(): Promise<void>;
  /** Writes what is waiting, then stops trying. */
  close(): Promise<void>;
}

interface Job {
  readonly task: MirrorTask | QueuedTask | undefined;
  /** Resolves to whether the store has it, at the end of the next write. */
  kept: PromiseWithResolvers<boolean>;
}

const readsAtATime = 64;
/** No write is on its way for so long, milliseconds. */
const traceMs = 86_400_000;

/** See `TaskRecords`. One process works on them at a time: the holder of the mirror's lease. */
export function createTaskRecords(options: TaskRecordsOptions): TaskRecords {
  const { records, storeFailed, concurrency = 16, retryMs = 1000 } = options;
  const unreadable = new Set<string>();
  const turn = createFencedRecords(records);
  let isOver = false;

  async function write(destination: string, job: Job): Promise<void> {
    const { kept } = job;
    try {
      if (!isOver && !(await turn.write(taskKey(destination), job.task))) isOver = true;
      kept.resolve(!isOver || (await offered(job)));
    } catch (error) {
      job.kept = Promise.withResolvers();
      kept.resolve(false);
      throw error;
    }
  }

  async function offered({ task }: Job): Promise<boolean> {
    if (task === undefined || isFoundByLooking(task)) return false;
    await offerTask(records, task);
    return true;
  }

  const behind = new WriteBehind<Job>({
    write,
    concurrency,
    retryMs,
    maxWaiting: Number.POSITIVE_INFINITY,
    failed: (error) => storeFailed?.({ operation: 'write', error }),
    replaced: (before, job) => before.kept.resolve(job.kept.promise),
    dropped: (_, job) => job.kept.resolve(false),
  });

  return {
    async load(signal) {
      await turn.begin();
      const found = await read(options, queuedPrefix, unreadable, signal);
      for (const { key, version } of found) turn.seen(key, version);
      return found.map(({ task }) => task);
    },
    keep(destination, task) {
      const job: Job = { task, kept: Promise.withResolvers() };
      behind.add(destination, job);
      return job.kept.promise;
    },
    kept: async (destination) => (await behind.waiting(destination)?.kept.promise) ?? true,
    async collect(taken, signal) {
      for (const { key, task } of await read(options, offeredPrefix, unreadable, signal)) {
        if ((await taken(task)) && !isOver) await records.delete(key);
      }
    },
    async handOver() {
      isOver = true;
      await behind.settled();
    },
    close: () => behind.close(),
  };
}

/** Offers the task to the working process. Resolves once it is stored; throws with the store. */
export async function offerTask(records: Records, task: MirrorTask): Promise<void> {
  await records.put(offeredPrefix + randomUUID(), taskBytes(task));
}

interface FoundRecord {
  readonly key: string;
  readonly version: string;
  readonly task: QueuedTask;
}

/** An unreadable record may be another version's: kept, reported once. Old traces are deleted. */
async function read(
  { records, storeFailed }: TaskRecordsOptions,
  prefix: string,
  unreadable: Set<string>,
  signal: AbortSignal | undefined,
): Promise<FoundRecord[]> {
  const found: FoundRecord[] = [];
  const keys: string[] = [];
  for await (const { key, size, writtenAt } of records.list(prefix, signal && { signal })) {
    if (size > longestTrace) keys.push(key);
    else if (Date.now() - writtenAt > traceMs) await records.delete(key);
  }
  const readOne = async (key: string): Promise<void> => {
    const record = await records.get(key);
    const task = record && parseTask(record.bytes);
    if (record === undefined) return;
    if (task !== undefined) found.push({ key, version: record.version, task });
    if (task !== undefined || unreadable.has(key)) return;
    unreadable.add(key);
    storeFailed?.({ operation: 'read', error: new Error(`cannot read the task record ${key}`) });
  };
  await concurrently(keys, readsAtATime, readOne, { signal });
  return found;
}
