import { Semaphore } from '../base/flow/semaphore.ts';
import { backoffMs } from '../base/time/backoff.ts';
import { sleep } from '../base/time/wait.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Deletion, KeptObject } from './plan.ts';

/** What became of one object. `left`: the run ended before its turn. */
export type PruneOutcome =
  | { readonly id: string; readonly outcome: 'deleted' | 'gone' | 'left' }
  | { readonly id: string; readonly outcome: 'failed'; readonly error: RegistryError }
  | (KeptObject & { readonly outcome: 'kept' });

/** What became of an object that was to be deleted: it is, it was gone before, or it must stay. */
export type Removal = 'deleted' | 'gone' | KeptObject;

interface DeletionRun {
  /**
   * Reads the object again and deletes it. Throws `RegistryError`; whatever else it throws ends the
   * run.
   */
  readonly remove: (deletion: Deletion, signal: AbortSignal) => Promise<Removal>;
  /** Objects at a time. The registry's own limit, which halves at a 429, is below this. */
  readonly atOnce: number;
  /** Called once for each object, in the order in which they end. */
  readonly ended: (outcome: PruneOutcome) => void;
  /** No object is begun after it; what was begun ends. */
  readonly signal: AbortSignal;
  /** From 0 to 1, for jitter. Default `Math.random`. */
  readonly random?: () => number;
}

/** Tries of an object while the registry throttles. Other failures were retried below. */
const throttledTries = 8;
const pauses = { firstMs: 500, longestMs: 30_000, jitter: 1 };
/** A registry that wants a longer pause fails the object instead, seconds. */
const longestWaitSeconds = 300;

/**
 * Deletes in the order of the list. A failure is of its object alone: what comes after it stays,
 * all else goes on. Rejects for a failure that is no registry's, once what was begun has ended.
 */
export async function runDeletions(deletions: readonly Deletion[], run: DeletionRun): Promise<void> {
  const places = new Semaphore({ permits: run.atOnce });
  const gone = new Map<string, Promise<boolean>>();
  for (const deletion of deletions) gone.set(deletion.id, ended(deletion, { gone, places, run }));
  const settled = await Promise.allSettled(gone.values());
  for (const each of settled) if (each.status === 'rejected') throw each.reason;
}

interface RunningDeletions {
  readonly gone: ReadonlyMap<string, Promise<boolean>>;
  readonly places: Semaphore;
  readonly run: DeletionRun;
}

/** Resolves to whether the object is gone. */
async function ended(deletion: Deletion, { gone, places, run }: RunningDeletions): Promise<boolean> {
  const outcome = await outcomeOf(deletion, { gone, places, run });
  run.ended(outcome);
  return outcome.outcome === 'deleted' || outcome.outcome === 'gone';
}

async function outcomeOf(deletion: Deletion, { gone, places, run }: RunningDeletions): Promise<PruneOutcome> {
  const { id, after } = deletion;
  for (const before of after)
    if ((await gone.get(before)) !== true)
      return { id, outcome: 'kept', kept: 'depends on another', why: `${before} could not be deleted` };
  return places.run(async (): Promise<PruneOutcome> => {
    if (run.signal.aborted) return { id, outcome: 'left' };
    try {
      const removal = await persistently(() => run.remove(deletion, run.signal), run);
      return typeof removal === 'string' ? { id, outcome: removal } : { ...removal, outcome: 'kept' };
    } catch (error) {
      if (run.signal.aborted) return { id, outcome: 'left' };
      if (!(error instanceof RegistryError)) throw error;
      return { id, outcome: 'failed', error };
    }
  });
}

/**
 * Tries again while the registry throttles: after its `Retry-After`, and a random part of a
 * doubling span. Throws the last failure.
 */
export async function persistently<Result>(
  work: () => Promise<Result>,
  { signal, random }: Pick<DeletionRun, 'signal' | 'random'>,
): Promise<Result> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      const isThrottled = error instanceof RegistryError && error.code === 'TOOMANYREQUESTS';
      if (!isThrottled || failures + 1 >= throttledTries) throw error;
      const { retryAfterSeconds = 0 } = error;
      if (retryAfterSeconds > longestWaitSeconds) throw error;
      const ownMs = backoffMs(failures, { ...pauses, ...(random && { random }) });
      await sleep(retryAfterSeconds * 1_000 + ownMs, signal);
    }
  }
}
