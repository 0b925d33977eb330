// Room `prune`: deletes what a rule lets go, whatever fails among it. In: a repository, rules, what
// is needed. Out: a plan, outcomes, a record. Imports: base, kubernetes, oci, mirror/endpoints,
// mirror/references, store; types of store.

import { concurrently } from '../base/flow/each.ts';
import { allTags } from '../mirror/endpoints/reading.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import { keptOutcomes, type Pruning } from './place.ts';
import { type ContentDeletion, inDeletionOrder, type KeptObject } from './plan.ts';
import type { PruneProgress, PruneRecord } from './record.ts';
import { type PruneOutcome, runDeletions } from './run.ts';
import { isOld, TagLook, type TagLookOptions } from './tag-deletion.ts';
import { type NameRange, rangePage, splitByTime } from './tag-ranges.ts';
import { firstUnexpired } from './tag-rules.ts';
import { Unfinished } from './unfinished.ts';

export interface TagPruning extends Pruning, TagLookOptions {
  /** Where progress is kept. Default: nowhere. */
  readonly record?: PruneRecord;
}

/** Parts of the listing that are read at a time. */
const rangesAtOnce = 4;
const pageSize = 1_000;
/** Tags that keep something begin with a digit above this one. */
const firstAfter = '1';

/**
 * Deletes the tags that kept what another tag named before it was overwritten, once they are older
 * than `ttlDays`. Lists only names that can be such, in parallel parts, page by page; begins where
 * the record says that work is left. A page that cannot be listed is told, and is left to the next
 * run. Rejects for what is no registry's failure.
 */
export async function pruneTags(options: TagPruning): Promise<void> {
  const walk = new TagWalk(options);
  await walk.run();
}

class TagWalk {
  readonly #options: TagPruning;
  readonly #unfinished: Unfinished;
  #areHoldsTold = false;
  #ranges: readonly NameRange[] = [];
  #isInOrder = true;

  constructor(options: TagPruning) {
    this.#options = options;
    this.#unfinished = new Unfinished(options);
  }

  async run(): Promise<void> {
    const { only, confirm } = this.#options;
    if (only !== undefined) return this.#chunks(only);
    const before = confirm ? await this.#unfinished.read() : undefined;
    this.#ranges = this.#begun(before);
    await this.#chunks([...this.#unfinished.objects.keys()] as Tag[]);
    await this.#parts();
    if (!this.#isInOrder) await this.#everything();
    this.#unfinished.leave(this.#ranges);
    await this.#unfinished.saved();
  }

  /** What an earlier run left, and what has expired since; all where nothing is left. */
  #begun(before: PruneProgress | undefined): readonly NameRange[] {
    const { ttlDays, now } = this.#options;
    const until = firstUnexpired(now(), ttlDays);
    const left = before?.ranges ?? [];
    const last = left
      .map((range) => range.until)
      .sort()
      .at(-1);
    if (last === undefined) return [{ after: firstAfter, until }];
    return last < until ? [...left, { after: last, until }] : left;
  }

  async #parts(): Promise<void> {
    const [first, ...others] = this.#ranges;
    if (first !== undefined && others.length === 0) {
      const rest = await this.#page(first);
      const parts = rest === undefined ? [] : splitByTime(rest, rangesAtOnce);
      this.#ranges = [...this.#ranges.filter((range) => range !== rest), ...parts];
    }
    await concurrently([...this.#ranges], rangesAtOnce, async (range) => {
      for (let left: NameRange | undefined = range; left !== undefined; ) left = await this.#page(left);
    });
  }

  /** Does the next page of a range. Resolves to what is left to do now. */
  async #page(range: NameRange): Promise<NameRange | undefined> {
    const { place, events, signal } = this.#options;
    if (signal.aborted || !this.#isInOrder) return undefined;
    try {
      const page = await rangePage(place, range, signal);
      if (page === undefined) {
        this.#isInOrder = false;
        return undefined;
      }
      await this.#tags(page.tags);
      if (signal.aborted) return undefined;
      await this.#done(range, page.rest);
      return page.rest;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof RegistryError)) throw error;
      events.unread(`tags of ${place.name} after ${range.after}`, error);
      return undefined;
    }
  }

  /** A registry that lists in an order of its own: all tags are looked at, and no part is kept. */
  async #everything(): Promise<void> {
    const { place, events, signal } = this.#options;
    this.#ranges = [];
    try {
      let chunk: Tag[] = [];
      for await (const tag of allTags(place.reader, place.repository, { signal })) {
        chunk.push(tag);
        if (chunk.length < pageSize) continue;
        await this.#tags(chunk);
        chunk = [];
      }
      await this.#tags(chunk);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RegistryError)) throw error;
      events.unread(`tags of ${place.name}`, error);
    }
  }

  async #chunks(tags: readonly Tag[]): Promise<void> {
    for (let at = 0; at < tags.length; at += pageSize) await this.#tags(tags.slice(at, at + pageSize));
  }

  /** Plans, and deletes where that is wanted. */
  async #tags(tags: readonly Tag[]): Promise<void> {
    const { events, atOnce, confirm, only, signal } = this.#options;
    events.checked(tags.length);
    const expired = only === undefined ? tags.filter((tag) => isOld(tag, this.#options)) : tags;
    if (expired.length === 0 || signal.aborted) return;
    const look = new TagLook(this.#options, () => this.#held());
    const deletions: ContentDeletion[] = [];
    const kept: KeptObject[] = [];
    await concurrently(expired, atOnce, async (tag) => {
      if (signal.aborted) return;
      const verdict = await look.verdict(tag);
      if (verdict === 'gone') this.#unfinished.forget(tag);
      else if ('kept' in verdict) kept.push(verdict);
      else {
        const said = confirm ? verdict : await look.planned(verdict);
        if ('kept' in said) kept.push(said);
        else deletions.push(said);
      }
    });
    const plan = { deletions: inDeletionOrder(deletions), kept };
    events.planned(plan);
    for (const outcome of keptOutcomes(kept)) this.#ended(outcome);
    if (!confirm) return;
    await runDeletions(plan.deletions, {
      remove: (deletion) => look.remove(deletion),
      atOnce,
      began: events.began,
      ended: (outcome) => this.#ended(outcome),
      signal,
    });
  }

  /** Undefined, after telling so, where holds cannot be told. */
  async #held(): Promise<readonly string[] | undefined> {
    const { held, events } = this.#options;
    try {
      return await held();
    } catch (error) {
      if (!this.#areHoldsTold) events.unread('the holds of the store', error);
      this.#areHoldsTold = true;
      return undefined;
    }
  }

  #ended(outcome: PruneOutcome): void {
    this.#unfinished.ended(outcome);
    this.#options.events.ended(outcome);
  }

  async #done(range: NameRange, rest: NameRange | undefined): Promise<void> {
    this.#ranges = this.#ranges.flatMap((each) => {
      if (each !== range) return [each];
      return rest === undefined ? [] : [rest];
    });
    this.#unfinished.leave(this.#ranges);
    await this.#unfinished.saved();
  }
}
