import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Answer, Decision, Place, Reach, Subject } from './access.ts';
import { answered, firstFound, firstPassing } from './answer.ts';
import type { Judge } from './cluster.ts';
import { advice, decided, recalled } from './decision.ts';
import type { FinalRuling, RuleBook } from './rules.ts';
import { type FinalWay, finalWays, followedWays, isWhole, type Way, waysFrom } from './ways.ts';

export interface ByDigestParts {
  readonly rules: RuleBook;
  readonly judge: Judge;
  readonly reach: Reach;
}

/** Content that somebody wants by its digest. */
export interface Sought {
  readonly subject: Subject;
  readonly place: Place;
  readonly digest: Digest;
  /** A tag that the client named beside the digest: tried first, and as little believed as any other. */
  readonly tag?: Tag;
}

/** One search for a tag that gives the right. What cannot be told is kept for the end, because another tag may do. */
interface Search extends Sought {
  readonly last: FinalRuling;
  readonly failures: unknown[];
}

const mostAsked = 64;
const askedAtOnce = 8;

/**
 * Decides on digests: whoever may pull some tag that leads to the digest may have it, else who may by the rule that does not depend
 * on the tag. First all that is remembered, at once where the tags are in memory; then by asking, with one question for
 * each namespace before the second for any. Throws `UNAVAILABLE` when nothing allowed it and something could not be told.
 */
export function byDigest({ rules, judge, reach }: ByDigestParts): (sought: Sought) => Answer<Decision> {
  function remembered(search: Search, ways: Iterator<FinalWay>): Answer<Decision | undefined> {
    const { subject, place, failures } = search;
    const known = firstPassing(
      ways,
      (way) =>
        recalled(judge, subject, way.ruling)?.allowed === true &&
        forgiven(failures, false, () => isWhole(reach, place, way)),
    );
    return answered(known, (way) => (way === undefined ? way : recalled(judge, subject, way.ruling)));
  }

  async function asked(search: Search, ways: readonly FinalWay[]): Promise<Decision | undefined> {
    const { subject, place, failures } = search;
    const open = ways.filter(({ ruling }) => recalled(judge, subject, ruling) === undefined);
    const questions = namespacesFirst(open, search.last).slice(0, mostAsked);
    let isAnswered = false;
    function* whileAnswering(): Generator<readonly FinalWay[]> {
      for (const question of questions) if (isAnswered || failures.length < askedAtOnce) yield question;
    }
    const found = await firstFound(whileAnswering(), {
      atOnce: askedAtOnce,
      async find(sameQuestion) {
        const [{ ruling } = { ruling: search.last }] = sameQuestion;
        const decision = await forgiven(failures, undefined, () => decided(judge, subject, ruling));
        isAnswered ||= decision !== undefined;
        if (decision?.allowed !== true) return undefined;
        const holds = (way: Way) => forgiven(failures, false, () => isWhole(reach, place, way));
        return (await firstPassing(sameQuestion.values(), holds)) === undefined ? undefined : decision;
      },
    });
    if (questions.length > 0 && !isAnswered) throw failures[0];
    return found;
  }

  async function searched(search: Search, direct: readonly Way[]): Promise<Decision> {
    const { subject, place, last, failures } = search;
    const tagsOf = (digest: Digest) => forgiven(failures, [], () => reach.tagsTowards(place, digest));
    const followed = await followedWays(rules, place, { direct, tagsOf });
    const found =
      (await remembered(search, followed.values())) ??
      (await asked(search, [...finalWays(direct), ...followed]));
    if (found !== undefined) return found;
    const decision = await decided(judge, subject, last);
    if (!decision.allowed && failures.length > 0) throw failures[0];
    return decision.allowed ? decision : withAdvice(search, decision);
  }

  function withAdvice({ subject, place, tag, last }: Search, decision: Decision): Decision {
    const named = tag === undefined ? last : rules.ofTag(place, tag);
    if (named.kind !== 'ask') return decision;
    return {
      ...decision,
      reason: `no tag that you may pull leads to this digest; ${advice(named, subject)}`,
    };
  }

  return (sought) => {
    const { subject, place, digest, tag } = sought;
    const last = rules.ofRepository(place);
    const known = recalled(judge, subject, last);
    if (known?.allowed === true || subject.cluster === undefined)
      return known ?? decided(judge, subject, last);
    if (!rules.dependsOnTag(place)) return decided(judge, subject, last);
    const search: Search = { ...sought, last, failures: [] };
    const towards = forgiven(search.failures, [], () => reach.tagsTowards(place, digest));
    return answered(towards, (others) => {
      const tags = tag === undefined ? others : [tag, ...others];
      const ways = () => waysFrom(rules, place, { tags, digest });
      return answered(
        remembered(search, finalWays(ways())),
        (decision) => decision ?? searched(search, [...ways()]),
      );
    });
  };
}

/** The answer; where there is none, keeps the failure and goes on with something else. */
function forgiven<Value>(failures: unknown[], otherwise: Value, work: () => Answer<Value>): Answer<Value> {
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

/**
 * Ways of the same question together, without those of the last one; a first question of each namespace before all others,
 * because most roles are bound in a namespace.
 */
function namespacesFirst(ways: readonly FinalWay[], last: FinalRuling): readonly (readonly FinalWay[])[] {
  const isLast = ({ ruling }: FinalWay): boolean => textOf(ruling) === textOf(last);
  const questions = Map.groupBy(
    ways.filter((way) => !isLast(way)),
    ({ ruling }) => textOf(ruling),
  );
  const seen = new Set<string>();
  const isFirst = ([way]: readonly FinalWay[]): boolean => {
    const namespace = way?.ruling.kind === 'ask' ? way.ruling.question.namespace : '';
    return seen.size < seen.add(namespace).size;
  };
  const [first, others] = partitioned([...questions.values()], isFirst);
  return [...first, ...others];
}

function partitioned<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  const parts: [Item[], Item[]] = [[], []];
  for (const item of items) parts[isFirst(item) ? 0 : 1].push(item);
  return parts;
}

function textOf(ruling: FinalRuling): string {
  return ruling.kind === 'ask' ? ruling.text : '';
}
