import { createNotifier } from '../../base/flow/notifier.ts';
import { backoffMs } from '../../base/time/backoff.ts';
import { type Clock, systemClock, type Timer } from '../../base/time/wait.ts';
import type { WorkqueueEvents } from '../events.ts';

export interface WorkQueueOptions {
  /** Processes a key. An exception requeues the key after a pause; the work itself reports it. */
  readonly work: (key: string, signal: AbortSignal) => Promise<void>;
  /** Pause after a first failure, milliseconds; doubles with each further one. Default 1,000. */
  readonly firstPauseMs?: number;
  /** No pause is longer, milliseconds. Default 1,000,000. */
  readonly longestPauseMs?: number;
  readonly events?: Partial<WorkqueueEvents>;
  readonly clock?: Clock;
}

/** Keys to process, each once, in order of arrival; one at a time. */
interface WorkQueue {
  /** A key that comes while it is looked at is looked at again. */
  add(key: string): void;
  /** Works until the signal aborts; what was not looked at by then is dropped. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { work, firstPauseMs = 1000, longestPauseMs = 1_000_000, events = {} } = options;
  const { clock = systemClock } = options;
  const waiting = new Map<string, number>();
  const failures = new Map<string, number>();
  const pausing = new Map<string, Timer>();
  const news = createNotifier();

  function put(key: string): void {
    pausing.get(key)?.[Symbol.dispose]();
    pausing.delete(key);
    if (waiting.has(key)) return;
    waiting.set(key, clock.now());
    events.workqueueAdded?.();
    events.workqueueChanged?.({ depth: waiting.size });
    news.notify();
  }

  function putLater(key: string): void {
    const count = failures.get(key) ?? 0;
    failures.set(key, count + 1);
    events.workqueueRetried?.();
    if (waiting.has(key)) return;
    const pauseMs = backoffMs(count, { firstMs: firstPauseMs, longestMs: longestPauseMs });
    pausing.set(
      key,
      clock.setTimeout(() => put(key), pauseMs),
    );
  }

  async function worked(key: string, addedAt: number, signal: AbortSignal): Promise<void> {
    waiting.delete(key);
    const startedAt = clock.now();
    events.workqueueChanged?.({ depth: waiting.size });
    events.workqueueStarted?.({ waitedSeconds: (startedAt - addedAt) / 1000 });
    try {
      await work(key, signal);
      failures.delete(key);
    } catch {
      if (!signal.aborted) putLater(key);
    }
    events.workqueueEnded?.({ seconds: (clock.now() - startedAt) / 1000 });
  }

  function drop(): void {
    for (const timer of pausing.values()) timer[Symbol.dispose]();
    for (const kept of [pausing, waiting, failures]) kept.clear();
    events.workqueueChanged?.({ depth: 0 });
  }

  return {
    add: put,
    async run(signal) {
      while (!signal.aborted) {
        const [next] = waiting;
        if (next === undefined) await news.wait(Number.POSITIVE_INFINITY, signal);
        else await worked(next[0], next[1], signal);
      }
      drop();
    },
  };
}
