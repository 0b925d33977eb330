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

/** One subject's search for a tag that grants the digest. An unknown answer does not end it. */
export interface TagPathSearch extends TagPathSteps {
  /** Tags that other replicas may have learned of meanwhile, too. */
  tagsAfresh(digest: Digest): MaybePromise<readonly Tag[]>;
  /** Tags that no record of the digest names. */
  tagsUnrecorded(digest: Digest): Promise<readonly Tag[]>;
  /** A right by remembered answers only; at once where the relations are in memory. */
  remembered(ways: Iterable<FinalTagPath>): MaybePromise<Decision | undefined>;
  /** A right by asking; skips remembered refusals. Rejects when the cluster never answers. */
  asked(ways: readonly FinalTagPath[], last: FinalRuling): Promise<Decision | undefined>;
  /** There may be ways that are unknown: `assertTold` throws. */
  cannotTell(error: unknown): void;
  /** Throws the first failure, if there was one: without it there might have been a way. */
  assertTold(): void;
}

export interface TagPathSearchParts {
  readonly judge: Judge;
  readonly reach: ContentTags;
  /** Proofs of what image streams name. Absent where they count for nothing. */
  readonly proofs?: ContentProofs | undefined;
  readonly events?: Partial<SearchEvents> | undefined;
}

/** A base layer may be under tags of so many streams (see mergedTags); the last may be right. */
const mostAsked = 1_024;
/** Of those that image streams only hint at: their authors may write any number. */
const mostHintsAsked = 64;
/** Hints that the upstream is asked about in one search. */
const mostHintsProven = 8;
const askedAtOnce = 8;

/** A search in one repository. */
export function createTagPathSearch(
  { judge, reach, proofs, events }: TagPathSearchParts,
  subject: Subject,
  place: Place,
): TagPathSearch {
  const failures: unknown[] = [];
  const tally: SearchTally = {
    answered: 0,
    failed: 0,
    left: mostAsked,
    hintsLeft: mostHintsProven,
    isLimited: false,
  };

  /** One question each, whatever the number of ways and rounds. */
  const hints = new Map<string, MaybePromise<boolean>>();
  function hintLeads(tag: Tag, digest: Digest): MaybePromise<boolean> {
    const key = `${tag}@${digest}`;
    const known = hints.get(key);
    if (known !== undefined) return known;
    if (tally.hintsLeft <= 0) {
      failures.push(untold());
      return false;
    }
    const answer = proofs?.tagLeadsNow(place, tag, digest) ?? false;
    if (answer instanceof Promise) tally.hintsLeft -= 1;
    hints.set(key, answer);
    return answer;
  }

  const leads = ({ tag, digest, root, isHint }: TagPath): MaybePromise<boolean> => {
    if (root === digest) return true;
    return forgiven(failures, false, () => {
      if (root !== undefined) return proofs?.manifestContains(place, root, digest) ?? false;
      return isHint === true ? hintLeads(tag, digest) : reach.tagContains(place, tag, digest);
    });
  };

  const ask = (ruling: FinalRuling): MaybePromise<Decision | undefined> =>
    forgiven(failures, undefined, () => decided(judge, subject, ruling));

  function* mayPull(ways: Iterable<FinalTagPath>): Generator<{ way: FinalTagPath; decision: Decision }> {
    for (const way of ways) {
      const decision = recalled(judge, subject, way.ruling);
      if (decision?.allowed === true) yield { way, decision };
    }
  }

  /** Those of the questions that are in namespaces all of which the subject may pull. */
  async function inReach(crowds: readonly Crowd[]): Promise<readonly OpenQuestion[]> {
    const found: OpenQuestion[] = [];
    await firstFound(whileAnswering(crowds, tally), {
      atOnce: askedAtOnce,
      async find({ whole, questions }) {
        const verdict = await forgiven(failures, undefined, () => judge.ask(subject, whole));
        tally[verdict === undefined ? 'failed' : 'answered'] += 1;
        if (verdict?.allowed === true) found.push(...questions);
        return undefined;
      },
    });
    return found;
  }

  async function firstAsked(ways: readonly FinalTagPath[], last: FinalRuling): Promise<Decision | undefined> {
    const asked = new Set<OpenQuestion>();
    const first = async (
      some: readonly OpenQuestion[],
      { most = Number.POSITIVE_INFINITY, atOnce = askedAtOnce } = {},
    ) => {
      const fresh = some.filter((question) => !asked.has(question));
      const now = fresh.slice(0, most);
      for (const question of now) asked.add(question);
      const found = await firstAllowed(now, { tally, ask, leads, atOnce });
      if (found === undefined && now.length < fresh.length) limited();
      return found;
    };
    const { likely, familiar, crowds, others, hints } = openQuestions(ways, last, { judge, subject });
    return (
      (await first(likely)) ??
      (await first(familiar)) ??
      (await first(await inReach(crowds), { atOnce: 1 })) ??
      (await first(others)) ??
      (await first(hints, { most: mostHintsAsked }))
    );
  }

  function limited(): void {
    if (tally.isLimited) return;
    tally.isLimited = true;
    failures.push(tooMany());
    events?.searchLimited?.({ cluster: subject.cluster ?? '' });
  }

  return {
    leads,
    tagsTowards: (digest) => forgiven(failures, [], () => reach.tagsContaining(place, digest)),
    tagsAfresh: (digest) =>
      forgiven(failures, [], () => reach.tagsContaining(place, digest, { afresh: true })),
    async tagsUnrecorded(digest) {
      const { tags, isAll } = await reach.unrecordedTags(place, digest);
      if (!isAll) failures.push(untold());
      return tags;
    },
    remembered(ways) {
      const found = firstPassing(mayPull(ways), ({ way }) => leads(way));
      return andThen(found, (known) => known?.decision);
    },
    async asked(ways, last) {
      const open = ways.filter(({ ruling }) => recalled(judge, subject, ruling)?.allowed !== false);
      const found = await firstAsked(open, last);
      if (found === undefined && tally.left <= 0) limited();
      if (found === undefined && tally.failed > 0 && tally.answered === 0) throw failures[0];
      return found;
    },
    cannotTell: (error) => void failures.push(error),
    assertTold() {
      if (failures.length > 0) throw failures[0];
    },
  };
}

function untold(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'cannot determine now which tags reference this digest', {
    retryAfterSeconds: 5,
  });
}

/** The next request goes on where this one ended, as the cluster's answers are remembered. */
function tooMany(): RegistryError {
  const message = 'more image streams name this digest than one request can ask the cluster about';
  return new RegistryError('UNAVAILABLE', message, { retryAfterSeconds: 1 });
}

interface SearchTally {
  answered: number;
  failed: number;
  /** Questions that may still be asked. */
  left: number;
  /** Hints that the upstream may still be asked about. */
  hintsLeft: number;
  isLimited: boolean;
}

interface AskedPath {
  readonly tally: SearchTally;
  /** Undefined where the question failed. */
  ask(ruling: FinalRuling): MaybePromise<Decision | undefined>;
  leads(way: FinalTagPath): MaybePromise<boolean>;
  readonly atOnce: number;
}

/** Ends at the limit of questions, and after several without an answer. */
function* whileAnswering<Item>(items: Iterable<Item>, tally: SearchTally): Generator<Item> {
  for (const item of items) {
    if (tally.failed >= askedAtOnce || tally.left <= 0) return;
    tally.left -= 1;
    yield item;
  }
}

/** Asks several questions at a time until one is allowed; stops after several without an answer. */
function firstAllowed(
  questions: readonly OpenQuestion[],
  { tally, ask, leads, atOnce }: AskedPath,
): Promise<Decision | undefined> {
  async function find({ ruling, ways }: OpenQuestion): Promise<Decision | undefined> {
    const decision = await ask(ruling);
    tally[decision === undefined ? 'failed' : 'answered'] += 1;
    if (decision?.allowed !== true) return undefined;
    return (await firstPassing(ways.values(), leads)) === undefined ? undefined : decision;
  }
  return firstFound(whileAnswering(questions, tally), { atOnce, find });
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
