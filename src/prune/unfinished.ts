import type { PruneEvents } from './place.ts';
import type { PruneProgress, PruneRecord } from './record.ts';
import type { PruneOutcome } from './run.ts';
import type { NameRange } from './tag-ranges.ts';

interface UnfinishedOptions {
  readonly events: Pick<PruneEvents, 'unread'>;
  /** Without it nothing is written. */
  readonly confirm: boolean;
  /** Where it is kept. Default: nowhere. */
  readonly record?: PruneRecord | undefined;
}

/** What a run leaves to the next one: what failed or was not begun, and where work is left. */
export class Unfinished {
  readonly #options: UnfinishedOptions;
  readonly #objects = new Map<string, string>();
  #ranges: readonly NameRange[] = [];
  #hasChanged = false;
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  constructor(options: UnfinishedOptions) {
    this.#options = options;
  }

  /** Ids of objects, each with why it is still there. */
  get objects(): ReadonlyMap<string, string> {
    return this.#objects;
  }

  /** Takes over what an earlier run left. Throws when the store does. */
  async read(): Promise<PruneProgress | undefined> {
    const before = await this.#options.record?.read();
    for (const [id, why] of before?.failed ?? []) this.#objects.set(id, why);
    return before;
  }

  /** Notes what a later plan may not find, when a run ends before its turn. */
  owe(ids: Iterable<string>): void {
    for (const id of ids) {
      if (this.#objects.has(id)) continue;
      this.#objects.set(id, 'not begun');
      this.#hasChanged = true;
    }
  }

  /** Not to be done any more, or found by the next plan. */
  forget(id: string): void {
    if (this.#objects.delete(id)) this.#hasChanged = true;
  }

  ended(outcome: PruneOutcome): void {
    if (outcome.outcome === 'failed') {
      this.#objects.set(outcome.id, outcome.error.message);
      this.#hasChanged = true;
    } else if (outcome.outcome !== 'left') this.forget(outcome.id);
  }

  /** Where names are left to be listed. */
  leave(ranges: readonly NameRange[]): void {
    this.#ranges = ranges;
    this.#hasChanged = true;
  }

  /**
   * Resolves once all that is noted by now is written. One write at a time; a record that cannot be
   * written is told as unread, and stops nothing.
   */
  saved(): Promise<void> {
    const { confirm, record } = this.#options;
    if (!confirm || record === undefined) return Promise.resolve();
    if (!this.#hasChanged) return this.#writing;
    this.#queued ??= this.#writing.then(() => this.#write(record));
    this.#writing = this.#queued;
    return this.#queued;
  }

  async #write(record: PruneRecord): Promise<void> {
    this.#queued = undefined;
    this.#hasChanged = false;
    try {
      await record.write({ ranges: this.#ranges, failed: this.#objects });
    } catch (error) {
      this.#options.events.unread('the record of this job', error);
    }
  }
}
