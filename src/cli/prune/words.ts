import type { Deletion, KeptObject } from '../../prune/plan.ts';
import type { ProgressState } from '../flags/progress-line.ts';
import { decimalSize, durationText } from '../mirror/go-text.ts';
import type { PruneCounts } from './report.ts';

/** The lines of a run, for people. A method that is not there tells nothing. */
export interface PruneWords {
  /** Of an object that a dry run would delete. */
  planned(deletion: Deletion): string;
  began?(deletion: Deletion): string;
  deleted?(id: string, deletion: Deletion | undefined): string;
  gone?(id: string): string;
  kept?(object: KeptObject): string;
  failed(id: string, deletion: Deletion | undefined, why: string): string;
  /** The first lines of the end. */
  ended(counts: PruneCounts, seconds: number): readonly string[];
}

/** For objects that a name or a digest names; `noun` is what they are, in the plural. */
export function createNamedWords(noun: string): PruneWords {
  return {
    planned: (deletion) => `Would have removed ${deletion.id} (${factsOf(deletion)}`,
    deleted: (id, deletion) =>
      `Successfully deleted ${id} (${deletion === undefined ? ')' : factsOf(deletion)}`,
    gone: (id) => `${id} was gone already`,
    kept: ({ id, why }) => `Kept ${id}: ${why}`,
    failed: (id, _deletion, why) => `error: cannot delete ${id}: ${why}`,
    ended: ({ checked, planned }, seconds) => [
      `Duration: ${durationText(seconds)}`,
      `Total ${noun} scanned: ${checked}`,
      `${noun[0]?.toUpperCase()}${noun.slice(1)} targeted for pruning: ${planned}`,
    ],
  };
}

function factsOf({ digest, bytes, reason }: Deletion): string {
  return `${digest}${bytes === undefined ? '' : `, ${decimalSize(bytes)}`}): ${reason}`;
}

/** The last lines: what stayed and why, bytes, and both sums. */
export function sumLines(counts: PruneCounts, confirm: boolean): readonly string[] {
  const { planned, deleted, failed, left, kept, unread } = counts;
  const stays = Object.entries(kept).filter(([, count]) => count > 0);
  return [
    ...stays.map(([reason, count]) => `Kept, ${reason}: ${count}`),
    ...(unread === 0 ? [] : [`Could not be read: ${unread}`]),
    ...(left === 0 ? [] : [`Not begun: ${left}`]),
    ...(counts.bytes === 0 ? [] : [bytesLine(counts, confirm)]),
    confirm
      ? `Deleted ${deleted} objects out of ${planned}. Failed to delete ${failed} objects.`
      : 'Dry run: nothing was deleted. Add --confirm to delete',
  ];
}

function bytesLine({ bytes, deletedBytes }: PruneCounts, confirm: boolean): string {
  const all = decimalSize(bytes);
  return `Bytes that nothing else needs: ${confirm ? `${decimalSize(deletedBytes)} deleted out of ${all}` : all}`;
}

/** How far a run is; before there is a plan, what is checked. */
export function pruneProgress(
  { checked, planned, bytes, deleted, deletedBytes, failed, left, dropped }: PruneCounts,
  { isPlanned, names }: { readonly isPlanned: boolean; readonly names: readonly string[] },
): ProgressState {
  const more = failed === 0 ? {} : { more: `${failed} failed` };
  if (!isPlanned) return { unit: 'checked', done: checked, ...more };
  const ended = deleted + failed + left + dropped;
  return {
    unit: 'ended',
    done: ended,
    total: planned,
    bytes: deletedBytes,
    totalBytes: bytes,
    ...more,
    names,
  };
}

/** How far a run is, where no terminal shows it: a line of JSON. */
export function progressText(
  { checked, planned, bytes, deleted, deletedBytes, failed }: PruneCounts,
  seconds: number,
): string {
  return `${JSON.stringify({ progress: { checked, planned, bytes, deleted, deletedBytes, failed, seconds } })}\n`;
}
