import { firstFound, firstPassing } from '../../base/flow/each.ts';
import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import type { ContentTags, Decision, Place, Subject } from '../access.ts';
import type { Judge } from '../clusters/cluster.ts';
import { decided, recalled } from './decision.ts';
import { type OpenQuestion, openQuestions } from './open-questions.ts';
import type { FinalRuling } from './rules.ts';
import type { FinalTagPath, TagPathSteps } from './tag-paths.ts';

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
  /** Throws the first failure, if there was one: without it there might have been a way. */
  assertTold(): void;
}

export interface TagPathSearchParts {
  readonly judge: Judge;
  readonly reach: ContentTags;
}

/** A base layer may be under tags of so many streams (see mergedTags); the last may be right. */
const mostAsked = 1_024;
const askedAtOnce = 8;

/** A search in one repository. */
export function createTagPathSearch(
  { judge, reach }: TagPathSearchParts,
  subject: Subject,
  place: Place,
): TagPathSearch {
  const failures: unknown[] = [];
  const leads = ({ tag, digest }: { readonly tag: Tag; readonly digest: Digest }): MaybePromise<boolean> =>
    forgiven(failures, false, () => reach.tagContains(place, tag, digest));

  const ask = (ruling: FinalRuling): MaybePromise<Decision | undefined> =>
    forgiven(failures, undefined, () => decided(judge, subject, ruling));
  const wasAllowed = (ruling: FinalRuling): boolean =>
    ruling.kind === 'ask' &&
    ruling.questions.every((question) => judge.wasAllowed?.(subject, question) === true);

  function* mayPull(ways: Iterable<FinalTagPath>): Generator<{ way: FinalTagPath; decision: Decision }> {
    for (const way of ways) {
      const decision = recalled(judge, subject, way.ruling);
      if (decision?.allowed === true) yield { way, decision };
    }
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
      const { likely = [], others = [] } = Object.groupBy(open, ({ ruling }) =>
        wasAllowed(ruling) ? 'likely' : 'others',
      );
      const tally: SearchTally = { answered: 0, failed: 0 };
      for (const some of [likely, others]) {
        const questions = openQuestions(some, last).slice(0, mostAsked);
        const found = await firstAllowed(questions, { tally, ask, leads });
        if (found !== undefined) return found;
      }
      if (tally.failed > 0 && tally.answered === 0) throw failures[0];
      return undefined;
    },
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

interface SearchTally {
  answered: number;
  failed: number;
}

interface AskedPath {
  readonly tally: SearchTally;
  /** Undefined where the question failed. */
  ask(ruling: FinalRuling): MaybePromise<Decision | undefined>;
  leads(way: FinalTagPath): MaybePromise<boolean>;
}

/** Asks several questions at a time until one is allowed; stops after several without an answer. */
function firstAllowed(
  questions: readonly OpenQuestion[],
  { tally, ask, leads }: AskedPath,
): Promise<Decision | undefined> {
  function* whileAnswering(): Generator<OpenQuestion> {
    for (const question of questions) if (tally.failed < askedAtOnce) yield question;
  }
  async function find({ ruling, ways }: OpenQuestion): Promise<Decision | undefined> {
    const decision = await ask(ruling);
    tally[decision === undefined ? 'failed' : 'answered'] += 1;
    if (decision?.allowed !== true) return undefined;
    return (await firstPassing(ways.values(), leads)) === undefined ? undefined : decision;
  }
  return firstFound(whileAnswering(), { atOnce: askedAtOnce, find });
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
