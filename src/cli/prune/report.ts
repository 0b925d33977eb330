import { whyUnread } from '../../mirror/inspect/gaps.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { PruneEvents } from '../../prune/place.ts';
import { type KeepReason, keepReasons, type PrunePlan } from '../../prune/plan.ts';
import type { PruneOutcome } from '../../prune/run.ts';
import type { Io } from '../flags/io.ts';
import { decimalSize, durationText } from '../mirror/go-text.ts';

/** How many objects ended in which way. */
export interface PruneCounts {
  readonly checked: number;
  readonly planned: number;
  /** What only the planned objects need, in bytes, where that is known. */
  readonly bytes: number;
  readonly deleted: number;
  /** Of `bytes`, those of what is deleted. */
  readonly deletedBytes: number;
  readonly failed: number;
  readonly left: number;
  readonly kept: Readonly<Record<KeepReason, number>>;
  /** What could not be listed or read. */
  readonly unread: number;
}

/** What is told of a run, and what it came to. */
export interface PruneReport {
  readonly events: PruneEvents;
  counts(): PruneCounts;
  /** What failed, with its error: one name a line, the reason above it. */
  failedLines(): string;
  /** Writes the end: counts and failures. */
  close(): void;
}

interface ReportOptions {
  readonly confirm: boolean;
  readonly json: boolean;
  /** What the objects are, in the plural. */
  readonly noun: string;
  /** Called for each object that ended. Default: nothing counts. */
  readonly counted?: ((outcome: PruneOutcome['outcome']) => void) | undefined;
}

const everyMs = { terminal: 1_000, elsewhere: 30_000 };

/** Tells each object when it is planned, or done, and how far the run is on standard error. */
export function createPruneReport(io: Io, { confirm, json, noun, counted }: ReportOptions): PruneReport {
  const startedAt = performance.now();
  const counts = {
    ...{ checked: 0, planned: 0, bytes: 0, deleted: 0, deletedBytes: 0 },
    ...{ failed: 0, left: 0, unread: 0 },
  };
  const kept = Object.fromEntries(keepReasons.map((reason) => [reason, 0])) as Record<KeepReason, number>;
  const reasons = new Map<string, string>();
  const sizes = new Map<string, number>();
  const failures = new Map<string, string>();
  const told = (): PruneCounts => ({ ...counts, kept });
  const line = (text: string, fields: object): void =>
    void io.stdout.write(json ? `${JSON.stringify(fields)}\n` : `${text}\n`);
  const isTerminal = io.stderr.isTTY === true;
  const timer = setInterval(
    () => io.stderr.write(progressText({ counts: told(), startedAt, isTerminal })),
    isTerminal ? everyMs.terminal : everyMs.elsewhere,
  );
  timer.unref();

  function planned({ deletions }: PrunePlan): void {
    counts.planned += deletions.length;
    for (const { id, reason, digest, bytes } of deletions) {
      counts.bytes += bytes ?? 0;
      const told = `${digest}${bytes === undefined ? '' : `, ${decimalSize(bytes)}`}): ${reason}`;
      if (confirm) {
        reasons.set(id, told);
        if (bytes !== undefined) sizes.set(id, bytes);
      } else line(`Would have removed ${id} (${told}`, { id, planned: true, digest, reason, bytes });
    }
  }

  function ended(outcome: PruneOutcome): void {
    const { id } = outcome;
    counted?.(outcome.outcome);
    const reason = reasons.get(id) ?? ')';
    const bytes = sizes.get(id) ?? 0;
    reasons.delete(id);
    sizes.delete(id);
    switch (outcome.outcome) {
      case 'deleted':
        counts.deleted += 1;
        counts.deletedBytes += bytes;
        line(`Successfully deleted ${id} (${reason}`, { id, outcome: 'deleted' });
        return;
      case 'gone':
        counts.deleted += 1;
        line(`${id} was gone already`, { id, outcome: 'gone' });
        return;
      case 'left':
        counts.left += 1;
        return;
      case 'kept':
        kept[outcome.kept] += 1;
        line(`Kept ${id}: ${outcome.why}`, { ...outcome });
        return;
      case 'failed': {
        counts.failed += 1;
        const why = whyUnread(outcome.error);
        failures.set(id, why);
        if (json) line('', { id, outcome: 'failed', why });
        io.stderr.write(`error: cannot delete ${id}: ${why}\n`);
      }
    }
  }

  return {
    events: {
      checked(count) {
        counts.checked += count;
      },
      planned,
      ended,
      unread(what, error) {
        counts.unread += 1;
        const why = error instanceof RegistryError ? whyUnread(error) : String(error);
        io.stderr.write(`error: cannot read ${what}, so all that it may need stays: ${why}\n`);
      },
    },
    counts: told,
    failedLines: () => [...failures].map(([id, why]) => `# ${why.replace(/\s+/g, ' ')}\n${id}\n`).join(''),
    close() {
      clearInterval(timer);
      if (isTerminal) io.stderr.write('\r\u001b[K');
      const seconds = (performance.now() - startedAt) / 1_000;
      if (json) io.stdout.write(`${JSON.stringify({ summary: { ...told(), seconds } })}\n`);
      else io.stdout.write(summaryText(told(), { confirm, noun, seconds }));
    },
  };
}

interface ShownProgress {
  readonly counts: PruneCounts;
  readonly startedAt: number;
  readonly isTerminal: boolean;
}

function progressText({ counts, startedAt, isTerminal }: ShownProgress): string {
  const seconds = (performance.now() - startedAt) / 1_000;
  const { checked, planned, deleted, failed } = counts;
  const rate = deleted / seconds;
  if (!isTerminal) return `${JSON.stringify({ progress: { checked, planned, deleted, failed, seconds } })}\n`;
  const left = planned - deleted - failed;
  const eta = rate > 0 && left > 0 ? `, ${durationText(left / rate)} left of what is planned` : '';
  return `\r\u001b[K${checked} checked, ${deleted} of ${planned} deleted (${rate.toFixed(1)}/s), ${failed} failed${eta}`;
}

interface SummaryFacts {
  readonly confirm: boolean;
  readonly noun: string;
  readonly seconds: number;
}

function summaryText(counts: PruneCounts, { confirm, noun, seconds }: SummaryFacts): string {
  const { checked, planned, deleted, failed, left, kept, unread } = counts;
  const stays = Object.entries(kept).filter(([, count]) => count > 0);
  const lines = [
    `Duration: ${durationText(seconds)}`,
    `Total ${noun} scanned: ${checked}`,
    `${noun[0]?.toUpperCase()}${noun.slice(1)} targeted for pruning: ${planned}`,
    ...stays.map(([reason, count]) => `Kept, ${reason}: ${count}`),
    ...(unread === 0 ? [] : [`Could not be read: ${unread}`]),
    ...(left === 0 ? [] : [`Not begun: ${left}`]),
    ...(counts.bytes === 0 ? [] : [bytesLine(counts, confirm)]),
    confirm
      ? `Deleted ${deleted} objects out of ${planned}. Failed to delete ${failed} objects.`
      : 'Dry run: nothing was deleted. Add --confirm to delete',
  ];
  return `${lines.join('\n')}\n`;
}

function bytesLine({ bytes, deletedBytes }: PruneCounts, confirm: boolean): string {
  const all = decimalSize(bytes);
  return `Bytes that nothing else needs: ${confirm ? `${decimalSize(deletedBytes)} deleted out of ${all}` : all}`;
}

/** Whether all that should be deleted is, and all could be read. */
export function isWell({ failed, unread, kept }: PruneCounts): boolean {
  const isKnown = kept.unread === 0 && kept['image streams not in sync'] === 0;
  return failed === 0 && unread === 0 && isKnown;
}
