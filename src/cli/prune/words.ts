import type { Deletion, KeptObject } from '../../prune/plan.ts';
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

/** How far a run is: one line that a terminal writes over, elsewhere a line of JSON. */
export function progressText(counts: PruneCounts, seconds: number, isTerminal: boolean): string {
  const { checked, planned, bytes, deleted, deletedBytes, failed, left, dropped } = counts;
  if (!isTerminal) {
    const progress = { checked, planned, bytes, deleted, deletedBytes, failed, seconds };
    return `${JSON.stringify({ progress })}\n`;
  }
  const rate = deleted / seconds;
  const open = planned - deleted - failed - left - dropped;
  const size = bytes === 0 ? '' : `, ${decimalSize(deletedBytes)} of ${decimalSize(bytes)}`;
  const eta = rate > 0 && open > 0 ? `, ${durationText(open / rate)} left of what is planned` : '';
  return `\r\u001b[K${checked} checked, ${deleted} of ${planned} deleted${size} (${rate.toFixed(1)}/s), ${failed} failed${eta}`;
}
