// Room `mirror/loop`: works off the queue, and fills it from image streams and hourly jobs. In: a
// queue, endpoints, a configuration. Out: copies; lines of the log. Imports: base, image-streams,
// mirror, mirror/ci, mirror/images, mirror/references, oci; types of mirror/queue.

import { lasting } from '../../base/flow/lasting.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { MirrorEvents } from '../events.ts';
import { CopyError } from '../failure.ts';
import type { Seen } from '../images/image-copy.ts';
import type { ImageInspector } from '../images/image-inspector.ts';
import type { LogMirror } from '../log.ts';
import type { MirrorHold } from '../queue/holds.ts';
import type { Queue } from '../queue/queue.ts';
import type { MirrorTask, QueuedTask } from '../queue/task.ts';
import { type ImageReference, parseImageReference, pinned } from '../references/image-reference.ts';
import { backupAt } from '../references/names.ts';
import { heldFailure } from './hold-desk.ts';
import { isUpToDate } from './up-to-date.ts';

/** One image to be copied. */
export interface CopyPair {
  readonly source: ImageReference;
  readonly destination: ImageReference;
  /** A client pulls it now: reads of it are worth caching. */
  readonly isPulled?: boolean;
  /** Only where there is nothing. */
  readonly fills?: boolean;
  /** Tries before this one. Default 0. */
  readonly attempts?: number;
  /** What both registries have, by the HEAD that each was asked in this try. */
  readonly seen: Seen;
}

/** The destination's content now; `isKept` if it is the old content, not the copied one. */
interface Copied {
  readonly digest: string;
  readonly isKept?: true;
}

export interface LoopOptions {
  readonly queue: Queue;
  readonly look: ImageInspector;
  /** Copies an image. Resolves once confirmed; throws `CopyError`, or the signal's reason. */
  readonly copy: (pair: CopyPair, signal: AbortSignal) => Promise<Copied | undefined>;
  /** Whether a task is still configured; called before each try, logs why not. Default: true. */
  readonly isWanted?: (task: MirrorTask) => boolean;
  /** The hold on a destination; read before each try. Default: none. */
  readonly holdOf?: (destination: string) => Promise<MirrorHold | undefined>;
  readonly tell: LogMirror;
  readonly events: Pick<MirrorEvents, 'imageMirrored' | 'mirroring' | 'copying'>;
  /** Transient failures before the failure is logged as lasting. Default 5: some minutes. */
  readonly complainAfter?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Copies queued images until aborted; resolves once running copies ended. Never rejects. */
export async function mirrorLoop(options: LoopOptions, signal: AbortSignal): Promise<void> {
  const { queue, tell } = options;
  const running = new Set<Promise<void>>();
  while (!signal.aborted) {
    // Before the take: what ends at once leaves its place to another.
    const news = queue.changed(signal);
    for (const task of queue.take()) {
      const work: Promise<void> = followed(options, task, signal).then(() => void running.delete(work));
      running.add(work);
    }
    if (running.size === 0) tell('waiting');
    await news;
  }
  await Promise.all(running);
}

function followed(options: LoopOptions, task: QueuedTask, signal: AbortSignal): Promise<void> {
  const { owner, attempts, cause, source, destination } = task;
  const told = { source: source.text, destination: destination.text, owner, attempts, cause };
  return lasting(options.events.mirroring, told, () => worked(options, task, signal));
}

async function worked(options: LoopOptions, task: QueuedTask, signal: AbortSignal): Promise<void> {
  const { queue, look, isWanted } = options;
  const { source, destination } = task;
  const key = destination.text;
  if (isWanted?.(task) === false) {
    queue.done(key);
    return;
  }
  const startedAt = performance.now();
  let sourceDigest: string | undefined;
  try {
    await refuseHeld(options, key);
    const [wanted, held] = await Promise.all([look.stat(source, signal), look.stat(destination, signal)]);
    if (wanted === undefined) throw sourceGone(task);
    sourceDigest = wanted.digest;
    await mirrored(options, task, { wanted, held }, signal);
    queue.done(key);
  } catch (error) {
    if (signal.aborted) {
      queue.released(key);
      return;
    }
    const failure = failureOf(error);
    if (failure.kind === 'source-gone' && task.failure?.kind === 'source-gone') {
      // Other users of the image check its source as well.
      queue.done(key);
      options.tell('sourceAbsent', textsOf(task));
      return;
    }
    if (failure.kind === 'held') {
      const isNews = task.failure?.reason !== failure.message;
      queue.failed(key, failure, sourceDigest);
      if (isNews) options.tell('held', { ...textsOf(task), reason: failure.message });
      return;
    }
    complained(options, queue.failed(key, failure, sourceDigest), failure, startedAt);
  }
}

interface Sides {
  readonly wanted: Descriptor;
  readonly held: Descriptor | undefined;
}

async function mirrored(
  options: LoopOptions,
  task: QueuedTask,
  { wanted, held }: Sides,
  signal: AbortSignal,
): Promise<void> {
  const { look, tell, now = Date.now } = options;
  const { source, destination: target } = task;
  if (held !== undefined && (await isUpToDate(look, wanted, held, target, signal))) {
    tell('upToDate', { currentQuayDigest: held.digest, ...textsOf(task) });
    return;
  }
  const kept = ({ digest }: Copied): void =>
    tell('targetKept', { currentQuayDigest: digest, currentAppCIDigest: wanted.digest, ...textsOf(task) });
  if (held !== undefined && task.fills === true) {
    kept(held);
    return;
  }
  if (task.owner === 'misses' && task.attempts === 0) {
    tell('mirroring', {
      currentQuayDigest: held?.digest ?? '',
      currentAppCIDigest: wanted.digest,
      ...textsOf(task),
    });
  }
  if (held !== undefined && task.backup !== undefined) {
    await backedUp(options, { ...task, backup: task.backup }, held, signal, { at: now(), left: mostNames });
  }
  const pair = {
    source,
    destination: target,
    isPulled: task.owner === 'misses',
    fills: task.fills === true,
    attempts: task.attempts,
    seen: { source: wanted, destination: held ?? 'nothing' },
  } as const;
  const there = await copied(options, pair, signal);
  if (there?.isKept !== true) return;
  if (task.fills === true) {
    kept(there);
    return;
  }
  await refuseHeld(options, target.text);
  throw new CopyError('unavailable', `${target.text}: held while it was copied: retrying later`);
}

/** Throws for a destination that an operator holds, and where the store does not say. */
async function refuseHeld({ holdOf }: LoopOptions, destination: string): Promise<void> {
  const hold = await holdOf?.(destination);
  if (hold !== undefined) throw heldFailure(hold);
}

/** Names of consecutive seconds that may be taken: more means a registry that has every tag. */
const mostNames = 10;

/**
 * Backs up the target's image once, however often the copy after it fails: the name is fixed for
 * that content before its use. A name of another image is left unchanged.
 */
async function backedUp(
  options: LoopOptions,
  task: QueuedTask & { readonly backup: ImageReference },
  held: Descriptor,
  signal: AbortSignal,
  { at, left }: { readonly at: number; readonly left: number },
): Promise<void> {
  const { look, queue } = options;
  const { destination, currentDigest } = task;
  const isFixed = currentDigest === held.digest;
  const backup = isFixed ? task.backup : parseImageReference(backupAt(task.backup.text, at));
  if (!isFixed && !(await queue.keepUnder(destination.text, { backup, currentDigest: held.digest }))) {
    throw new CopyError(
      'unavailable',
      `${backup.text}: cannot record this backup name in the store: retrying later`,
    );
  }
  const kept = await look.stat(backup, signal);
  if (kept?.digest === held.digest) return;
  if (kept === undefined) {
    const seen = { source: held, destination: 'nothing' } as const;
    await copied(options, { source: pinned(destination, held.digest), destination: backup, seen }, signal);
    return;
  }
  if (left === 0)
    throw new CopyError('unavailable', `${backup.text}: all ${mostNames} backup names hold other images`);
  const another = { at: at + 1000, left: left - 1 };
  await backedUp(options, { ...task, backup, currentDigest: '' }, held, signal, another);
}

async function copied(
  options: LoopOptions,
  pair: CopyPair,
  signal: AbortSignal,
): Promise<Copied | undefined> {
  const { copy, tell, events } = options;
  const pairs = pairsOf(pair);
  const command = { args: `image mirror --keep-manifest-list ${pairs}`, client: 'quayside' };
  const startedAt = performance.now();
  tell('mirrorStarted', { pairs });
  let there: Copied | undefined;
  try {
    const told = { source: pair.source.text, destination: pair.destination.text };
    there = await lasting(events.copying, told, () => copy(pair, signal));
  } catch (error) {
    signal.throwIfAborted();
    const { message: output, kind } = failureOf(error);
    tell('commandFailed', { ...command, output, error: kind });
    throw error;
  }
  tell('commandSucceeded', { ...command, output: '' });
  if (there?.isKept !== true) tell('mirrored', { pairs, duration: ended(options, 'success', startedAt) });
  return there;
}

/** A source that is gone is no alarm: the image's owner has taken it away. */
function complained(options: LoopOptions, task: QueuedTask, error: CopyError, startedAt: number): void {
  const { tell, complainAfter = 5 } = options;
  const { state, attempts } = task;
  const pairs = pairsOf(task);
  if (error.kind === 'source-gone') {
    tell('sourceAbsent', textsOf(task));
    return;
  }
  tell('mirrorFailed', { pairs, duration: ended(options, 'failure', startedAt), error });
  if (state === 'parked' || attempts === complainAfter) {
    tell('mirrorGivenUp', { pairs, error, reason: error.kind, state });
  }
}

/** Counts the attempt. Gives what it took, in whole seconds. */
function ended({ events }: LoopOptions, state: 'success' | 'failure', startedAt: number): number {
  const seconds = (performance.now() - startedAt) / 1000;
  events.imageMirrored({ state, seconds });
  return Math.round(seconds);
}

function pairsOf({ source, destination }: Pick<CopyPair, 'source' | 'destination'>): readonly string[] {
  return [`${source.text}=${destination.text}`];
}

function textsOf({ source, destination }: QueuedTask) {
  return { source: source.text, target: destination.text };
}

function sourceGone({ source }: QueuedTask): CopyError {
  return new CopyError(
    'source-gone',
    `${source.text}: the source has no such image: push it there again, or leave it out`,
  );
}

/** An unknown error's text may hold a secret. */
function failureOf(error: unknown): CopyError {
  if (error instanceof CopyError) return error;
  return new CopyError('unavailable', 'failed for an unknown reason: retrying later', { cause: error });
}
