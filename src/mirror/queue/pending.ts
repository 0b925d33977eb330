import type { MirrorTask, QueuedTask } from './task.ts';
import { priorities } from './task.ts';

/** A task that was put in, before anything became of it. */
export function fresh(task: MirrorTask): QueuedTask {
  return { ...task, state: 'waiting', attempts: 0, doubts: 0, notBefore: 0 };
}

/** True if `known` covers `task`: the same source and, if both state one, the same digest. */
export function isSameWork(known: MirrorTask, task: MirrorTask): boolean {
  const isEnough = known.fills !== true || task.fills === true;
  return isEnough && known.source.text === task.source.text && known.sourceDigest === task.sourceDigest;
}

/** Whether a later task is worth a retry of a permanent failure. Schema 1 stays refused. */
export function isWorthATry(known: QueuedTask, task: MirrorTask): boolean {
  if (task.owner === 'api') return true;
  const kind = known.failure?.kind;
  if (kind === 'schema-1' && known.sourceDigest !== undefined)
    return known.sourceDigest !== task.sourceDigest;
  return (kind === 'source-gone' && task.sourceDigest !== undefined) || !isSameWork(known, task);
}

/** Whether a later task says anything that one which waits does not say already. */
export function isNews(known: MirrorTask, task: MirrorTask): boolean {
  const isMoreUrgent = moreUrgent(known.priority, task.priority) !== known.priority;
  return (
    !isSameWork(known, task) || isMoreUrgent || (known.backup === undefined && task.backup !== undefined)
  );
}

/**
 * Merges a later task for the same destination into a waiting one: the later one, in the earlier
 * one's place if it has the same goal, with the more urgent priority, and with the backup's name
 * while the content is the same: that name may be in use. If one of them overwrites, both do.
 */
export function merged(known: MirrorTask, { fills, ...task }: MirrorTask): MirrorTask {
  return {
    ...task,
    ...(known.fills === true && fills === true ? { fills } : {}),
    priority: moreUrgent(known.priority, task.priority),
    ...(isSameWork(known, task) ? { createdAt: known.createdAt } : {}),
    ...keptBackup(known, task),
  };
}

function keptBackup(known: MirrorTask, task: MirrorTask): Partial<MirrorTask> {
  const isSameTarget = known.currentDigest === task.currentDigest || task.currentDigest === undefined;
  if (known.backup === undefined || (task.backup !== undefined && !isSameTarget)) return {};
  const { backup, currentDigest } = known;
  return { backup, ...(currentDigest === undefined ? {} : { currentDigest }) };
}

function moreUrgent(one: MirrorTask['priority'], other: MirrorTask['priority']): MirrorTask['priority'] {
  return priorities.indexOf(one) < priorities.indexOf(other) ? one : other;
}

/** A resync finds it again when the next turn begins: no client or operator requested it. */
export function isFoundByLooking({ owner }: MirrorTask): boolean {
  return owner !== 'misses' && owner !== 'api';
}
