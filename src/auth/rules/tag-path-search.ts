import { firstFound, firstPassing } from '../../base/flow/each.ts';
import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import type { ContentProofs, ContentTags, Decision, Place, SearchEvents, Subject } from '../access.ts';
import type { Judge } from '../clusters/cluster.ts';
import { decided, recalled } from './decision.ts';
import { type Crowd, type OpenQuestion, openQuestions } from './open-questions.ts';
import type { FinalRuling } from './rules.ts';
import type { FinalTagPath, TagPath, TagPathSteps } from './tag-paths.ts';

export interface TagPathSearchParts {
  readonly judge: Judge;
  readonly reach: ContentTags;
  /** Proofs of what image streams name. Absent where they count for nothing. */
  readonly proofs?: ContentProofs | undefined;
  readonly events?: Partial<SearchEvents> | undefined;
}

interface SearchedPlace {
  readonly subject: Subject;
  readonly place: Place;
  /** One of many: the upstream is not asked about hints. Default false. */
  readonly isBrief?: boolean;
}

/** A base layer may be under tags of so many streams (see mergedTags); the last may be right. */
const mostAsked = 1_024;
/** Of those that image streams only hint at: their authors may write any number. */
const mostHintsAsked = 64;
/** Hints that the upstream is asked about in one search. */
const mostHintsProven = 8;
const askedAtOnce = 8;

/**
 * One subject's search in one repository for a tag or stream that grants the digest. An unknown
 * answer does not end it.
 */
export class TagPathSearch implements TagPathSteps {
  readonly #parts: TagPathSearchParts;
  readonly #subject: Subject;
  readonly #place: Place;
  readonly #isBrief: boolean;
  readonly #failures: unknown[] = [];
  readonly #tally: SearchTally = { answered: 0, failed: 0, left: mostAsked };
  /** What the upstream said of hints: one question each, whatever the number of ways and rounds. */
  #hints: Map<string, MaybePromise<boolean>> | undefined;
  #hintsLeft = mostHintsProven;
  #isLimited = false;

  constructor(parts: TagPathSearchParts, { subject, place, isBrief = false }: SearchedPlace) {
    this.#parts = parts;
    this.#subject = subject;
    this.#place = place;
    this.#isBrief = isBrief;
  }

  leads({ tag, digest, root, isHint }: TagPath): MaybePromise<boolean> {
    if (root === digest) return true;
    const { reach, proofs } = this.#parts;
    return forgiven(this.#failures, false, () => {
      if (root !== undefined) return proofs?.manifestContains(this.#place, root, digest) ?? false;
      return isHint === true ? this.#hintLeads(tag, digest) : reach.tagContains(this.#place, tag, digest);
    });
  }

  tagsTowards(digest: Digest): MaybePromise<readonly Tag[]> {
    return forgiven(this.#failures, [], () => this.#parts.reach.tagsContaining(this.#place, digest));
  }

  /** Tags that other replicas may have learned of meanwhile, too. */
  tagsAfresh(digest: Digest): MaybePromise<readonly Tag[]> {
    const afresh = { afresh: true };
    return forgiven(this.#failures, [], () => this.#parts.reach.tagsContaining(this.#place, digest, afresh));
  }

  /** Tags that no record of the digest names. */
  async tagsUnrecorded(digest: Digest): Promise<readonly Tag[]> {
    const { tags, isAll } = await this.#parts.reach.unrecordedTags(this.#place, digest);
    if (!isAll) this.#failures.push(untold());
    return tags;
  }

  /** A right by remembered answers only; at once where the relations are in memory. */
  remembered(ways: Iterable<FinalTagPath>): MaybePromise<Decision | undefined> {
    const found = firstPassing(this.#mayPull(ways), ({ way }) => this.leads(way));
    return andThen(found, (known) => known?.decision);
  }

  /** A right by asking; skips remembered refusals. Rejects when the cluster never answers. */
  async asked(ways: readonly FinalTagPath[], last: FinalRuling): Promise<Decision | undefined> {
    const { judge } = this.#parts;
    const open = ways.filter(({ ruling }) => recalled(judge, this.#subject, ruling)?.allowed !== false);
    const found = await this.#firstAsked(open, last);
    if (found !== undefined) return found;
    if (this.#tally.left <= 0) this.#limited();
    if (this.#tally.failed > 0 && this.#tally.answered === 0) throw this.#failures[0];
    return undefined;
  }

  /** There may be ways that are unknown: `assertTold` throws. */
  cannotTell(error: unknown): void {
    this.#failures.push(error);
  }

  /** Throws the first failure, if there was one: without it there might have been a way. */
  assertTold(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  *#mayPull(ways: Iterable<FinalTagPath>): Generator<{ way: FinalTagPath; decision: Decision }> {
    for (const way of ways) {
      const decision = recalled(this.#parts.judge, this.#subject, way.ruling);
      if (decision?.allowed === true) yield { way, decision };
    }
  }

  #hintLeads(tag: Tag, digest: Digest): MaybePromise<boolean> {
    this.#hints ??= new Map();
    const key = `${tag}@${digest}`;
    const known = this.#hints.get(key);
    if (known !== undefined) return known;
    if (this.#hintsLeft <= 0) {
      this.#failures.push(untold());
      return false;
    }
    const options = { isBrief: this.#isBrief };
    const answer = this.#parts.proofs?.tagLeadsNow(this.#place, tag, digest, options) ?? false;
    if (answer instanceof Promise) this.#hintsLeft -= 1;
    this.#hints.set(key, answer);
    return answer;
  }

  async #firstAsked(ways: readonly FinalTagPath[], last: FinalRuling): Promise<Decision | undefined> {
    const asker = { judge: this.#parts.judge, subject: this.#subject };
    const { likely, familiar, crowds, others, hints } = openQuestions(ways, last, asker);
    const asked = new Set<OpenQuestion>();
    const first = (some: readonly OpenQuestion[], atOnce = askedAtOnce) => {
      const fresh = some.filter((question) => !asked.has(question));
      for (const question of fresh) asked.add(question);
      return this.#firstAllowed(fresh, atOnce);
    };
    const found =
      (await first(likely)) ??
      (await first(familiar)) ??
      (await first(await this.#inReach(crowds), 1)) ??
      (await first(others)) ??
      (await first(hints.slice(0, mostHintsAsked)));
    if (found === undefined && hints.length > mostHintsAsked) this.#limited();
    return found;
  }

  /** The questions that are in namespaces all of which the subject may pull. */
  async #inReach(crowds: readonly Crowd[]): Promise<readonly OpenQuestion[]> {
    const found: OpenQuestion[] = [];
    await firstFound(whileAnswering(crowds, this.#tally), {
      atOnce: askedAtOnce,
      find: async ({ whole, questions }) => {
        const ask = () => this.#parts.judge.ask(this.#subject, whole);
        const verdict = await forgiven(this.#failures, undefined, ask);
        this.#tally[verdict === undefined ? 'failed' : 'answered'] += 1;
        if (verdict?.allowed === true) found.push(...questions);
        return undefined;
      },
    });
    return found;
  }

  /** Asks several questions at a time until one is allowed; stops after several failures. */
  #firstAllowed(questions: readonly OpenQuestion[], atOnce: number): Promise<Decision | undefined> {
    const find = async ({ ruling, ways }: OpenQuestion): Promise<Decision | undefined> => {
      const ask = () => decided(this.#parts.judge, this.#subject, ruling);
      const decision = await forgiven<Decision | undefined>(this.#failures, undefined, ask);
      this.#tally[decision === undefined ? 'failed' : 'answered'] += 1;
      if (decision?.allowed !== true) return undefined;
      const way = await firstPassing(ways.values(), (each) => this.leads(each));
      return way === undefined ? undefined : decision;
    };
    return firstFound(whileAnswering(questions, this.#tally), { atOnce, find });
  }

  /** Once for a search: the next request goes on where this one ended. */
  #limited(): void {
    if (this.#isLimited) return;
    this.#isLimited = true;
    this.#failures.push(tooMany());
    this.#parts.events?.searchLimited?.({ cluster: this.#subject.cluster ?? '' });
  }
}

function untold(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'cannot determine now which tags reference this digest', {
    retryAfterSeconds: 5,
  });
}

function tooMany(): RegistryError {
  const message = 'more image streams name this digest than one request can ask the cluster about';
  return new RegistryError('UNAVAILABLE', message, { retryAfterSeconds: 1 });
}

interface SearchTally {
  answered: number;
  failed: number;
  /** Questions that may still be asked. */
  left: number;
}

/** Ends at the limit of questions, and after several without an answer. */
function* whileAnswering<Item>(items: Iterable<Item>, tally: SearchTally): Generator<Item> {
  for (const item of items) {
    if (tally.failed >= askedAtOnce || tally.left <= 0) return;
    tally.left -= 1;
    yield item;
  }
}

/** The answer; where there is none, keeps the failure and goes on with something else. */
function forgiven<Value>(
  failures: unknown[],
  otherwise: Value,
  work: () => MaybePromise<Value>,
): MaybePromise<Value> {
  const failed = (error: unknown): Value => {
    failures.push(error);
    return otherwise;
  };
  try {
    const answer = work();
    return answer instanceof Promise ? answer.catch(failed) : answer;
  } catch (error) {
    return failed(error);
  }
}
