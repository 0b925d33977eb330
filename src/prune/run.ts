import { concurrently } from '../base/flow/each.ts';
import { backoffMs } from '../base/time/backoff.ts';
import { sleep } from '../base/time/wait.ts';
import { ApiFailure } from '../kubernetes/failure.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Deletion, KeptObject } from './plan.ts';

/** A registry or an API server that does not do what it is asked. */
export type ObjectFailure = RegistryError | ApiFailure;

/** What became of one object. `left`: the run ended before its turn. */
export type PruneOutcome =
  | { readonly id: string; readonly outcome: 'deleted' | 'gone' | 'left' }
  | { readonly id: string; readonly outcome: 'failed'; readonly error: ObjectFailure }
  | (KeptObject & { readonly outcome: 'kept' });

/** What became of an object that was to be deleted: it is, it was gone before, or it must stay. */
export type Removal = 'deleted' | 'gone' | KeptObject;

interface DeletionRun<Planned extends Deletion> {
  /**
   * Reads the object again and deletes it. Throws an `ObjectFailure`; whatever else it throws ends
   * the run.
   */
  readonly remove: (deletion: Planned, signal: AbortSignal) => Promise<Removal>;
  /** Objects at a time. The registry's own limit, which halves at a 429, is below this. */
  readonly atOnce: number;
  /** Called in front of each object that is begun. Default: nothing is told. */
  readonly began?: (deletion: Planned) => void;
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
 * Deletes in the order of the list, in which each comes behind those that it comes after. A failure
 * is of its object alone: what comes after it stays, all else goes on. Rejects for a failure that
 * is none of an object, once what was begun has ended.
 */
export async function runDeletions<Planned extends Deletion>(
  deletions: readonly Planned[],
  run: DeletionRun<Planned>,
): Promise<void> {
  const gone = new Map<string, Promise<boolean>>();
  await concurrently(deletions, run.atOnce, async (deletion) => {
    const ended = endOf(deletion, gone, run);
    gone.set(deletion.id, ended);
    await ended;
  });
}

/** Resolves to whether the object is gone. */
async function endOf<Planned extends Deletion>(
  deletion: Planned,
  gone: ReadonlyMap<string, Promise<boolean>>,
  run: DeletionRun<Planned>,
): Promise<boolean> {
  const { id } = deletion;
  const obstacle = await obstacleOf(deletion, gone);
  const outcome: PruneOutcome = run.signal.aborted
    ? { id, outcome: 'left' }
    : obstacle === undefined
      ? await outcomeOf(deletion, run)
      : { id, outcome: 'kept', kept: 'depends on another', why: obstacle };
  run.ended(outcome);
  return outcome.outcome === 'deleted' || outcome.outcome === 'gone';
}

/** Why it may not be deleted: something that is still there. */
async function obstacleOf(
  { after, afterAny = [] }: Deletion,
  gone: ReadonlyMap<string, Promise<boolean>>,
): Promise<string | undefined> {
  for (const before of after) if ((await gone.get(before)) !== true) return `${before} could not be deleted`;
  const others = await Promise.all(afterAny.map((before) => gone.get(before)));
  if (others.length === 0 || others.includes(true)) return undefined;
  return `${afterAny[0]}${others.length > 1 ? ' and all the others that it needs gone' : ''} could not be deleted`;
}

async function outcomeOf<Planned extends Deletion>(
  deletion: Planned,
  run: DeletionRun<Planned>,
): Promise<PruneOutcome> {
  const { id } = deletion;
  run.began?.(deletion);
  try {
    const removal = await persistently(() => run.remove(deletion, run.signal), run);
    return typeof removal === 'string' ? { id, outcome: removal } : { ...removal, outcome: 'kept' };
  } catch (error) {
    if (run.signal.aborted) return { id, outcome: 'left' };
    if (!isObjectFailure(error)) throw error;
    return { id, outcome: 'failed', error };
  }
}

/** Whether the failure is of one object, so that all else goes on. */
export function isObjectFailure(error: unknown): error is ObjectFailure {
  return error instanceof RegistryError || error instanceof ApiFailure;
}

/**
 * Tries again while the registry or the API server throttles: after its `Retry-After`, and a
 * random part of a doubling span. Throws the last failure.
 */
export async function persistently<Result>(
  work: () => Promise<Result>,
  { signal, random }: Pick<DeletionRun<Deletion>, 'signal' | 'random'>,
): Promise<Result> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isThrottled(error) || failures + 1 >= throttledTries) throw error;
      const { retryAfterSeconds = 0 } = error;
      if (retryAfterSeconds > longestWaitSeconds) throw error;
      const ownMs = backoffMs(failures, { ...pauses, ...(random && { random }) });
      await sleep(retryAfterSeconds * 1_000 + ownMs, signal);
    }
  }
}

function isThrottled(error: unknown): error is ObjectFailure {
  if (error instanceof ApiFailure) return error.status === 429;
  return error instanceof RegistryError && error.code === 'TOOMANYREQUESTS';
}
