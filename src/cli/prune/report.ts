import { whyUnread } from '../../mirror/inspect/gaps.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { PruneEvents } from '../../prune/place.ts';
import { type Deletion, type KeepReason, keepReasons, type PrunePlan } from '../../prune/plan.ts';
import type { PruneOutcome } from '../../prune/run.ts';
import type { PruneMetrics } from '../../telemetry/metrics/prune.ts';
import type { Io } from '../flags/io.ts';
import type { ProgressState } from '../flags/progress-line.ts';
import { type PruneWords, progressText, pruneProgress, sumLines } from './words.ts';

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
  /** Planned, and kept after all. */
  readonly dropped: number;
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
  /** Adds to the end: a line for people, in front of the counts, and fields for machines. */
  adds(text: string, fields: object): void;
  /** Writes the end, counts and failures, unless the run is not begun. */
  close(options?: { readonly isBegun?: boolean }): void;
}

interface ReportOptions {
  readonly confirm: boolean;
  readonly json: boolean;
  readonly words: PruneWords;
  /** Called for each object that ended. Default: nothing counts. */
  readonly counted?: PruneMetrics['ended'] | undefined;
}

/** How often a run that has no terminal says how far it is, milliseconds. */
const everyMs = 30_000;

/** Tells each object when it is planned, or done, and how far the run is on standard error. */
export function createPruneReport(io: Io, options: ReportOptions): PruneReport {
  const { confirm, json, words } = options;
  const startedAt = performance.now();
  const report = new PruneTally(io, options);
  const seconds = (): number => (performance.now() - startedAt) / 1_000;
  const closeProgress = io.progress?.(() => report.progress());
  const tell = () => io.stderr.write(progressText(report.counts(), seconds()));
  const timer = closeProgress === undefined ? setInterval(tell, everyMs) : undefined;
  timer?.unref();
  const added: { lines: string[]; fields: object } = { lines: [], fields: {} };
  return {
    events: report.events,
    counts: () => report.counts(),
    failedLines: () => report.failedLines(),
    adds(text, fields) {
      added.lines.push(text);
      added.fields = { ...added.fields, ...fields };
    },
    close({ isBegun = true } = {}) {
      clearInterval(timer);
      closeProgress?.();
      if (!isBegun) return;
      const counts = report.counts();
      const summary = { ...counts, ...added.fields, seconds: seconds() };
      const lines = [...added.lines, ...words.ended(counts, seconds()), ...sumLines(counts, confirm)];
      io.stdout.write(json ? `${JSON.stringify({ summary })}\n` : `${lines.join('\n')}\n`);
    },
  };
}

class PruneTally {
  readonly #io: Io;
  readonly #options: ReportOptions;
  readonly #counts = {
    ...{ checked: 0, planned: 0, bytes: 0, deleted: 0, deletedBytes: 0 },
    ...{ failed: 0, left: 0, dropped: 0, unread: 0 },
  };
  readonly #kept = Object.fromEntries(keepReasons.map((reason) => [reason, 0])) as Record<KeepReason, number>;
  /** What is planned and has not ended. */
  readonly #open = new Map<string, Deletion>();
  readonly #failures = new Map<string, string>();
  readonly events: PruneEvents;

  constructor(io: Io, options: ReportOptions) {
    this.#io = io;
    this.#options = options;
    this.events = {
      checked: (count) => {
        this.#counts.checked += count;
      },
      planned: (plan) => this.#planned(plan),
      began: (deletion) => this.#line(options.words.began?.(deletion)),
      ended: (outcome) => this.#ended(outcome),
      unread: (what, error) => this.#unread(what, error),
    };
  }

  counts(): PruneCounts {
    return { ...this.#counts, kept: this.#kept };
  }

  progress(): ProgressState {
    const [first] = this.#open.keys();
    const isPlanned = this.#options.confirm && this.#counts.planned > 0;
    return pruneProgress(this.counts(), { isPlanned, names: first === undefined ? [] : [first] });
  }

  failedLines(): string {
    return [...this.#failures].map(([id, why]) => `# ${why.replace(/\s+/g, ' ')}\n${id}\n`).join('');
  }

  /** One of both: a text for people, fields for machines. */
  #line(text: string | undefined, fields?: object): void {
    const line = this.#options.json ? fields && JSON.stringify(fields) : text;
    if (line !== undefined) this.#io.stdout.write(`${line}\n`);
  }

  #planned({ deletions }: PrunePlan): void {
    const { confirm, words } = this.#options;
    this.#counts.planned += deletions.length;
    for (const deletion of deletions) {
      const { id, reason, digest, bytes } = deletion;
      this.#counts.bytes += bytes ?? 0;
      if (confirm) this.#open.set(id, deletion);
      else this.#line(words.planned(deletion), { id, planned: true, digest, reason, bytes });
    }
  }

  #ended(outcome: PruneOutcome): void {
    const { words, counted, json } = this.#options;
    const { id } = outcome;
    const deletion = this.#open.get(id);
    this.#open.delete(id);
    const bytes = outcome.outcome === 'deleted' ? (deletion?.bytes ?? 0) : 0;
    counted?.(outcome.outcome, bytes);
    switch (outcome.outcome) {
      case 'deleted':
        this.#counts.deleted += 1;
        this.#counts.deletedBytes += bytes;
        this.#line(words.deleted?.(id, deletion), { id, outcome: 'deleted' });
        return;
      case 'gone':
        this.#counts.deleted += 1;
        this.#line(words.gone?.(id), { id, outcome: 'gone' });
        return;
      case 'left':
        this.#counts.left += 1;
        return;
      case 'kept':
        this.#kept[outcome.kept] += 1;
        if (deletion !== undefined) this.#counts.dropped += 1;
        this.#line(words.kept?.(outcome), { ...outcome });
        return;
      case 'failed': {
        const why = whyFailed(outcome.error);
        this.#counts.failed += 1;
        this.#failures.set(id, why);
        if (json) this.#line('', { id, outcome: 'failed', why });
        this.#io.stderr.write(`${words.failed(id, deletion, why)}\n`);
      }
    }
  }

  #unread(what: string, error: unknown): void {
    this.#counts.unread += 1;
    this.#io.stderr.write(`error: cannot read ${what}, so all that it may need stays: ${whyFailed(error)}\n`);
  }
}

function whyFailed(error: unknown): string {
  if (error instanceof RegistryError) return whyUnread(error);
  return error instanceof Error ? error.message : String(error);
}

/** Whether all that should be deleted is, and all could be read. */
export function isWell({ failed, unread, kept }: PruneCounts): boolean {
  const isKnown = kept.unread === 0 && kept['image streams not in sync'] === 0;
  return failed === 0 && unread === 0 && isKnown;
}
