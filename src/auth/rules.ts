import { LRUCache } from 'lru-cache';
import { type Digest, isDigest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Place } from './access.ts';
import { type Question, questionText } from './question.ts';
import { filledQuestion, type Groups, groupsNamedIn, type QuestionTemplate } from './rule-question.ts';

/**
 * One line of a list in which the first that fits decides; it holds exactly one of `ask`, `allow`, `refuse` and `followDigest`.
 *
 * A rule without `tags` does not depend on the tag: it decides tags, listings and digests of its repositories alike. What is pulled
 * by digest is otherwise decided by the tags that lead to it, and last by the first rule without `tags`. So one that allows
 * everything behind rules with `tags` gives away by digest what those keep.
 */
export interface Rule {
  /** For logs and messages. */
  readonly name: string;
  /** The whole of `<upstream>/<repository>`. An operator's expression runs on 400 characters at most. */
  readonly repositories: RegExp;
  /** The whole of the tag. Default: the rule does not depend on the tag. */
  readonly tags?: RegExp;
  /** Those may pull whom their cluster allows this. */
  readonly ask?: QuestionTemplate;
  /** Everybody may whom a cluster knows. */
  readonly allow?: true;
  /** Nobody may. */
  readonly refuse?: true;
  /** The tag names a digest in its groups `algorithm` (default sha256) and `hex`: who may read that may read this. */
  readonly followDigest?: true;
  /** Of `ask`: who need not be asked about, see isExempt. Default: nobody. */
  readonly exempt?: readonly string[];
  /** Of `refuse`: what a person is told. One clause. */
  readonly reason?: string;
}

/** What the rules say, before anybody is asked. */
export type Ruling =
  | AskRuling
  | { readonly kind: 'allow'; readonly rule: string }
  | { readonly kind: 'refuse'; readonly rule: string; readonly reason?: string }
  | { readonly kind: 'follow'; readonly rule: string; readonly digest: Digest };

/** A ruling that does not send us on to another digest. */
export type FinalRuling = Exclude<Ruling, { kind: 'follow' }>;

export interface AskRuling {
  readonly kind: 'ask';
  readonly rule: string;
  readonly question: Question;
  /** The question in words: equal for equal questions. */
  readonly text: string;
  readonly exempt: readonly string[];
}

/** Rules ready for use. Pure: the same place and tag always have the same ruling. */
export interface RuleBook {
  /** The first rule that fits the tag. */
  ofTag(place: Place, tag: Tag): Ruling;
  /** The first rule for the repository that does not depend on the tag: for what no tag leads to. */
  ofRepository(place: Place): FinalRuling;
  /** Whether a rule that depends on the tag comes before that one. */
  dependsOnTag(place: Place): boolean;
}

export interface RuleBookOptions {
  /** Tags whose ruling is kept in memory, about 0.2 KB each. Default 20,000. */
  readonly maxEntries?: number;
}

interface CompiledRule {
  readonly repositories: RegExp;
  readonly tags: RegExp | undefined;
  readonly ruling: (groups: Groups) => Ruling;
}

interface RepositoryRulings {
  readonly ruling: FinalRuling;
  readonly dependsOnTag: boolean;
}

/** One object for each different question of a rule: thousands of tags share a few, and others may remember by identity. */
type Questions = LRUCache<string, AskRuling>;

const mostRepositories = 2_000;
const actions = ['ask', 'allow', 'refuse', 'followDigest'] as const;
const unnamed: FinalRuling = Object.freeze({
  kind: 'refuse',
  rule: 'none',
  reason: 'no rule names this repository',
});

/** Reads the rules. Throws an Error that names the rule, for a rule that says nothing or too much, and the group that a question lacks. */
export function ruleBook(rules: readonly Rule[], { maxEntries = 20_000 }: RuleBookOptions = {}): RuleBook {
  const questions: Questions = new LRUCache({ max: maxEntries });
  const compiled = rules.map((rule) => compiledRule(rule, questions));
  const ofTags = new LRUCache<string, Ruling>({ max: maxEntries });
  const ofRepositories = new LRUCache<string, RepositoryRulings>({ max: mostRepositories });

  function ofRepository({ upstream, repository }: Place): RepositoryRulings {
    const text = `${upstream}/${repository}`;
    const known = ofRepositories.get(text) ?? repositoryRulings(compiled, text);
    ofRepositories.set(text, known);
    return known;
  }

  return {
    ofTag({ upstream, repository }, tag) {
      const key = `${upstream}/${repository}:${tag}`;
      const known = ofTags.get(key);
      if (known !== undefined) return known;
      const ruling = tagRuling(compiled, `${upstream}/${repository}`, tag);
      ofTags.set(key, ruling);
      return ruling;
    },
    ofRepository: (place) => ofRepository(place).ruling,
    dependsOnTag: (place) => ofRepository(place).dependsOnTag,
  };
}

/** A text that is equal for tags which the books give the same rights to: of many tags that lead to one digest, one for each will do. */
export function rightsKey(books: readonly RuleBook[], place: Place, tag: Tag): string {
  return books.map((book) => rulingKey(book.ofTag(place, tag))).join('\n');
}

/** Equal for rulings that come to the same for everybody. */
export function rulingKey(ruling: Ruling): string {
  if (ruling.kind === 'ask') return [ruling.text, ...ruling.exempt].join('\n');
  return ruling.kind === 'follow' ? ruling.digest : `${ruling.kind} ${ruling.rule}`;
}

function tagRuling(rules: readonly CompiledRule[], text: string, tag: Tag): Ruling {
  for (const { repositories, tags, ruling } of rules) {
    const place = repositories.exec(text);
    const named = place === null ? null : tags === undefined ? place : tags.exec(tag);
    if (named !== null) return ruling({ ...place?.groups, ...named.groups });
  }
  return unnamed;
}

function repositoryRulings(rules: readonly CompiledRule[], text: string): RepositoryRulings {
  let dependsOnTag = false;
  for (const { repositories, tags, ruling } of rules) {
    const place = repositories.exec(text);
    if (place === null) continue;
    const decisive = tags === undefined ? ruling(place.groups ?? {}) : undefined;
    if (decisive !== undefined && decisive.kind !== 'follow') return { ruling: decisive, dependsOnTag };
    dependsOnTag = true;
  }
  return { ruling: unnamed, dependsOnTag };
}

function compiledRule(rule: Rule, questions: Questions): CompiledRule {
  const groups = [rule.repositories, ...(rule.tags === undefined ? [] : [rule.tags])].flatMap(groupsOf);
  const action = onlyAction(rule);
  for (const group of rule.ask === undefined ? [] : groupsNamedIn(rule.ask)) {
    if (!groups.includes(group)) throw fault(rule, `no expression has the group ${group} that it asks about`);
  }
  if (action === 'followDigest' && !(rule.tags !== undefined && groupsOf(rule.tags).includes('hex')))
    throw fault(rule, 'followDigest needs tags with a group hex');
  const tags = rule.tags === undefined ? undefined : whole(rule.tags);
  return { repositories: whole(rule.repositories), tags, ruling: rulingOf(rule, questions) };
}

function onlyAction(rule: Rule): (typeof actions)[number] {
  const [action, ...others] = actions.filter((word) => rule[word] !== undefined);
  if (action !== undefined && others.length === 0) return action;
  const given = action === undefined ? 'none' : [action, ...others].join(' and ');
  throw fault(rule, `must hold exactly one of ${actions.join(', ')}, not ${given}`);
}

function rulingOf(rule: Rule, questions: Questions): (groups: Groups) => Ruling {
  const { name, ask, exempt = [] } = rule;
  if (ask !== undefined) return (groups) => asking({ name, exempt }, filledQuestion(ask, groups), questions);
  if (rule.followDigest === true) return (groups) => following(name, groups);
  const ruling = rule.allow === true ? Object.freeze({ kind: 'allow', rule: name } as const) : refusal(rule);
  return () => ruling;
}

function asking(
  { name, exempt }: Required<Pick<Rule, 'name' | 'exempt'>>,
  question: Question | undefined,
  questions: Questions,
): Ruling {
  if (question === undefined) return refusal({ name, reason: 'the rule has no question for this name' });
  const text = questionText(question);
  const key = `${name}\n${exempt.join('\n')}\n${text}`;
  const ruling =
    questions.get(key) ?? Object.freeze({ kind: 'ask', rule: name, question, text, exempt } as const);
  questions.set(key, ruling);
  return ruling;
}

function following(rule: string, { algorithm = 'sha256', hex = '' }: Groups): Ruling {
  const digest = `${algorithm}:${hex}`;
  if (isDigest(digest)) return { kind: 'follow', rule, digest };
  return refusal({ name: rule, reason: 'the tag names no digest' });
}

function refusal({ name, reason }: Pick<Rule, 'name' | 'reason'>): FinalRuling {
  return Object.freeze({ kind: 'refuse', rule: name, ...(reason === undefined ? {} : { reason }) });
}

/** The expression for whole names, however it was written, and without a state of its own. */
function whole({ source, flags }: RegExp): RegExp {
  return new RegExp(`^(?:${source})$`, flags.replaceAll(/[gym]/g, ''));
}

/** The names of the groups: a match of nothing lists them all. */
function groupsOf({ source, flags }: RegExp): readonly string[] {
  return Object.keys(new RegExp(`${source}|`, flags).exec('')?.groups ?? {});
}

function fault({ name }: Rule, what: string): Error {
  return new Error(`rule ${name}: ${what}`);
}
