import type { Digest } from '../oci/digest.ts';

/** One object that is to be deleted, and why. */
export interface Deletion {
  /** What it is called among all objects of the plan: a tag, a digest. */
  readonly id: string;
  /** For people. */
  readonly reason: string;
  /** What it was when it was planned, where it has a digest of its own. */
  readonly digest?: Digest;
  /** What it goes with, for people: the image of a blob. Default: it goes by itself. */
  readonly of?: string;
  /** What only it needs, in bytes. Undefined where that is not known. */
  readonly bytes?: number;
  /** Deletions that must have succeeded before: without them this one would be harmful. */
  readonly after: readonly string[];
  /** Of these at least one must have succeeded before, where there are any. Default: none. */
  readonly afterAny?: readonly string[];
}

/** The deletion of something that a digest names. */
export interface ContentDeletion extends Deletion {
  readonly digest: Digest;
}

/** Why an object stays although its age says that it may go. */
export const keepReasons = [
  'held',
  'named by an image stream',
  'image streams not in sync',
  'in use',
  'shared',
  'age unknown',
  'changed meanwhile',
  'depends on another',
  'unread',
] as const;

export type KeepReason = (typeof keepReasons)[number];

/** An object that stays. */
export interface KeptObject {
  readonly id: string;
  readonly kept: KeepReason;
  /** For people. */
  readonly why: string;
}

/** What is to be deleted, and what is not, of the objects that a rule speaks of. */
export interface PrunePlan<Planned extends Deletion = Deletion> {
  readonly deletions: readonly Planned[];
  readonly kept: readonly KeptObject[];
}

/**
 * Most bytes first, so that space is freed early, and none before those that it comes after. One
 * that comes after something outside of the list, or after itself, is left out: it must stay.
 */
export function inDeletionOrder<Planned extends Deletion>(deletions: readonly Planned[]): readonly Planned[] {
  const left = new Map(deletions.map((deletion) => [deletion.id, deletion]));
  const waiting = new Map<string, Planned[]>();
  const open = new Map<string, number>();
  for (const deletion of left.values()) {
    const before = new Set(deletion.after);
    open.set(deletion.id, before.size);
    for (const id of before) waiting.set(id, [...(waiting.get(id) ?? []), deletion]);
  }
  const sorted: Planned[] = [];
  let free = [...left.values()].filter(({ id }) => open.get(id) === 0);
  while (free.length > 0) {
    sorted.push(...free.sort((one, other) => (other.bytes ?? 0) - (one.bytes ?? 0)));
    free = free.flatMap(({ id }) => (waiting.get(id) ?? []).filter((next) => isFree(next, open)));
  }
  return sorted;
}

/** Counts one predecessor as placed; true when that was the last. */
function isFree({ id }: Deletion, open: Map<string, number>): boolean {
  const count = (open.get(id) ?? 0) - 1;
  open.set(id, count);
  return count === 0;
}
