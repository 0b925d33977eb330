import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Answer, Decision, Place, Reach, Subject } from './access.ts';
import { answered, firstFound, firstPassing } from './answer.ts';
import type { Judge } from './cluster.ts';
import { advice, decided, recalled } from './decision.ts';
import type { FinalRuling, RuleBook } from './rules.ts';
import { type FinalWay, finalWays, followedWays, type Steps, type Way, waysFrom } from './ways.ts';

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
  readonly steps: Steps;
  readonly failures: unknown[];
}

/** A tag that the subject may pull; whether it leads to the digest is still open. */
interface Promising {
  readonly way: FinalWay;
  readonly decision: Decision;
}

const mostAsked = 64;
const askedAtOnce = 8;

/**
 * Decides on digests: whoever may pull some tag that leads to the digest may have it, else who may by the rule that does not depend
 * on the tag. First all that is remembered, at once where the tags are in memory; then by asking, with one question for
 * each namespace before the second for any. Throws `UNAVAILABLE` when nothing allowed it and something could not be told.
 */
export function byDigest({ rules, judge, reach }: ByDigestParts): (sought: Sought) => Answer<Decision> {
  function begun(sought: Sought): Search {
    const { place } = sought;
    const failures: unknown[] = [];
    const steps: Steps = {
      tagsTowards: (digest) => forgiven(failures, [], () => reach.tagsTowards(place, digest)),
      leads: ({ tag, digest }) => forgiven(failures, false, () => reach.leadsTo(place, tag, digest)),
    };
    return { ...sought, last: rules.ofRepository(place), steps, failures };
  }

  function* mayPull(subject: Subject, ways: Iterable<FinalWay>): Generator<Promising> {
    for (const way of ways) {
      const decision = recalled(judge, subject, way.ruling);
      if (decision?.allowed === true) yield { way, decision };
    }
  }

  function remembered({ subject, steps }: Search, ways: Iterable<FinalWay>): Answer<Decision | undefined> {
    const found = firstPassing(mayPull(subject, ways), ({ way }) => steps.leads(way));
    return answered(found, (promising) => promising?.decision);
  }

  async function asked(search: Search, ways: readonly FinalWay[]): Promise<Decision | undefined> {
    const { subject, last, steps, failures } = search;
    const open = ways.filter(({ ruling }) => recalled(judge, subject, ruling) === undefined);
    const questions = namespacesFirst(open, last).slice(0, mostAsked);
    let isAnswered = false;
    function* whileAnswering(): Generator<Question> {
      for (const question of questions) if (isAnswered || failures.length < askedAtOnce) yield question;
    }
    const found = await firstFound(whileAnswering(), {
      atOnce: askedAtOnce,
      async find({ ruling, ways: led }) {
        const decision = await forgiven(failures, undefined, () => decided(judge, subject, ruling));
        isAnswered ||= decision !== undefined;
        if (decision?.allowed !== true) return undefined;
        const way = await firstPassing(led.values(), steps.leads);
        return way === undefined ? undefined : decision;
      },
    });
    if (questions.length > 0 && !isAnswered) throw failures[0];
    return found;
  }

  async function searched(search: Search, direct: readonly Way[]): Promise<Decision> {
    const { subject, place, last, steps, failures } = search;
    const followed = await followedWays(rules, place, { direct, steps });
    const found =
      (await remembered(search, followed)) ?? (await asked(search, [...finalWays(direct), ...followed]));
    if (found !== undefined) return found;
    const decision = await decided(judge, subject, last);
    if (decision.allowed) return decision;
    if (failures.length > 0) throw failures[0];
    return withAdvice(search, decision);
  }

  /** Names no tag but the client's own: others would tell that the digest exists, and where. */
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
    const search = begun(sought);
    const known = recalled(judge, subject, search.last);
    if (known?.allowed === true) return known;
    if (subject.cluster === undefined || !rules.dependsOnTag(place))
      return known ?? decided(judge, subject, search.last);
    return answered(search.steps.tagsTowards(digest), (others) => {
      const tags = tag === undefined ? others : [tag, ...others];
      const ways = (): Iterable<Way> => waysFrom(rules, place, tags, digest);
      const found = remembered(search, finalWays(ways()));
      return answered(found, (decision) => decision ?? searched(search, [...ways()]));
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

/** A question, and the ways on which it is the one to ask. */
interface Question {
  readonly ruling: FinalRuling;
  readonly ways: readonly FinalWay[];
}

/** Each question once, and not the last one; first one for each namespace, because most roles are bound in a namespace. */
function namespacesFirst(ways: readonly FinalWay[], last: FinalRuling): readonly Question[] {
  const others = ways.filter(({ ruling }) => textOf(ruling) !== textOf(last));
  const questions = Map.groupBy(others, ({ ruling }) => textOf(ruling))
    .values()
    .flatMap((led) => led.slice(0, 1).map(({ ruling }) => ({ ruling, ways: led })));
  const seen = new Set<string>();
  const ranked = [...questions].map((question) => {
    const { ruling } = question;
    const isFirst = ruling.kind === 'ask' && !seen.has(ruling.question.namespace);
    if (ruling.kind === 'ask') seen.add(ruling.question.namespace);
    return { question, rank: isFirst ? 0 : 1 };
  });
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ question }) => question);
}

function textOf(ruling: FinalRuling): string {
  return ruling.kind === 'ask' ? ruling.text : '';
}
