import type { LRUCache } from 'lru-cache';
import { createLru } from '../../base/state/lru.ts';
import { Expression, type Groups } from '../../base/text/expression.ts';
import { createReadings, flatTag, type Readings } from '../../image-streams/flat-tags.ts';
import type { ImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { isTag, type Tag } from '../../oci/reference.ts';
import type { Place } from '../access.ts';
import { type Question, questionText } from '../question.ts';
import { ruleFaults } from './rule-faults.ts';
import { filledQuestion, type QuestionTemplate, streamQuestion, streamQuestions } from './rule-question.ts';

/** An expression as it was written, for whole texts; the syntax is RE2's. */
export type WrittenRule = Pick<Expression, 'source'>;

/**
 * One line of a list in which the first that fits decides; it holds exactly one of `ask`,
 * `askImageStreams`, `allow`, `refuse` and `followDigest`.
 *
 * A rule without `tags` does not depend on the tag: it decides tags, listings and digests of its
 * repositories alike. What is pulled by digest is otherwise decided by the tags that lead to it,
 * and last by the first rule without `tags`. So one that allows everything behind rules with `tags`
 * gives away by digest what those keep.
 */
export interface Rule {
  /** For logs and messages. */
  readonly name: string;
  /** The whole of `<upstream>/<repository>`. */
  readonly repositories: WrittenRule;
  /** The whole of the tag. Default: the rule does not depend on the tag. */
  readonly tags?: WrittenRule;
  /** Those may pull whom their cluster allows this. */
  readonly ask?: QuestionTemplate;
  /**
   * The tag, or its group `flat`, stands for image streams: those may pull it whom their cluster
   * allows each of them. A tag that stands for none does not fit.
   */
  readonly askImageStreams?: true;
  /** Every subject of a cluster may. */
  readonly allow?: true;
  /** No subject may. */
  readonly refuse?: true;
  /** The tag holds a digest in the groups `algorithm` (sha256) and `hex`, whose right counts. */
  readonly followDigest?: true;
  /** Of `ask`: the subjects that are allowed unasked, see isExempt. Default: none. */
  readonly exempt?: readonly string[];
  /** Of `refuse`: what a person is told. One clause. */
  readonly reason?: string;
}

/** The result of the rules, before the cluster is asked. */
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
  /** All of them must be answered with yes; there is one at least. */
  readonly questions: readonly Question[];
  /** The questions in words: equal for equal questions. */
  readonly text: string;
  readonly exempt: readonly string[];
}

/** Compiled rules. Equal place and tag have an equal ruling, until flat tags change. */
export interface RuleBook {
  /** The first rule that fits the tag. */
  ofTag(place: Place, tag: Tag): Ruling;
  /** The first rule for the repository that does not depend on the tag: for untagged digests. */
  ofRepository(place: Place): FinalRuling;
  /**
   * The right to what a tag of a stream is proven to hold, pulled by digest: by the first rule for
   * the repository with `askImageStreams` the right to that stream, unless a rule before it fits
   * the flat tag. Undefined where image streams count for nothing.
   */
  ofStream(place: Place, named: ImageStreamTag): Ruling | undefined;
  /** Whether image streams count for what is pulled by digest: `ofStream` has a ruling. */
  countsStreams(place: Place): boolean;
  /** Whether a rule that depends on the tag comes before that one. */
  dependsOnTag(place: Place): boolean;
  /** Drops the rulings on tags, since flat tags may stand for something else now. */
  reread(): void;
}

interface RuleBookOptions {
  /** Tags whose ruling is kept in memory, about 0.2 KB each. Default 20,000. */
  readonly maxEntries?: number;
  /** The readings of flat tags, for `askImageStreams`. Default: by their pattern. */
  readonly readings?: Readings;
}

/** Undefined without a match. Groups are parsed on demand: that takes ten times a test. */
type RulingOf = (groups: () => Groups, tag?: Tag) => Ruling | undefined;

interface CompiledRule {
  readonly repositories: Expression;
  readonly tags: Expression | undefined;
  readonly ruling: RulingOf;
  /** Of a rule with `askImageStreams`. */
  readonly ofStream?: RulingOfStream | undefined;
}

type RulingOfStream = (stream: Pick<ImageStreamTag, 'namespace' | 'name'>) => Ruling;

/** A rule for the repository, with what the groups of its expression stand for there. */
interface LocalRule extends Omit<CompiledRule, 'repositories'> {
  readonly placeGroups: Groups;
}

interface RepositoryRulings {
  readonly rules: readonly LocalRule[];
  readonly ruling: FinalRuling;
  readonly ofStream: RulingOfStream | undefined;
  readonly dependsOnTag: boolean;
}

/** One object for each question of a rule: thousands of tags share few; compared by identity. */
type Questions = LRUCache<string, AskRuling>;

const mostRepositories = 2_000;
const unnamed: FinalRuling = Object.freeze({
  kind: 'refuse',
  rule: 'none',
  reason: 'no access rule matches this repository',
});

/** Compiles the rules. Throws an Error with the rule's name for empty or incomplete ones. */
export function createRuleBook(rules: readonly Rule[], options: RuleBookOptions = {}): RuleBook {
  const { maxEntries = 20_000, readings = createReadings() } = options;
  const questions: Questions = createLru(maxEntries);
  const compiled = rules.map((rule) => compiledRule(rule, { questions, readings }));
  const ofTags = createLru<string, Ruling>(maxEntries);
  const ofNamed = createLru<string, Ruling>(maxEntries);
  const ofRepositories = createLru<string, RepositoryRulings>(mostRepositories);

  function rulingsOf({ upstream, repository }: Place, text = `${upstream}/${repository}`): RepositoryRulings {
    const known = ofRepositories.get(text) ?? repositoryRulings(compiled, text);
    ofRepositories.set(text, known);
    return known;
  }

  return {
    ofTag(place, tag) {
      const key = `${place.upstream}/${place.repository}:${tag}`;
      const known = ofTags.get(key);
      if (known !== undefined) return known;
      const ruling = firstRuling(rulingsOf(place).rules, tag) ?? unnamed;
      ofTags.set(key, ruling);
      return ruling;
    },
    ofRepository: (place) => rulingsOf(place).ruling,
    ofStream(place, named) {
      const key = `${place.upstream}/${place.repository} ${named.namespace}/${named.name}:${named.tag}`;
      const known = ofNamed.get(key);
      if (known !== undefined) return known;
      const ruling = streamRuling(rulingsOf(place), named);
      if (ruling !== undefined) ofNamed.set(key, ruling);
      return ruling;
    },
    countsStreams: (place) => rulingsOf(place).ofStream !== undefined,
    dependsOnTag: (place) => rulingsOf(place).dependsOnTag,
    reread() {
      ofTags.clear();
      ofNamed.clear();
    },
  };
}

/** A text that is equal for tags with equal rights in all books: one tag of each is enough. */
export function rightsKey(books: readonly RuleBook[], place: Place, tag: Tag): string {
  return books.map((book) => rulingKey(book.ofTag(place, tag))).join('\n');
}

/** Equal for rulings with the same result for every subject. */
export function rulingKey(ruling: Ruling): string {
  if (ruling.kind === 'ask') return [ruling.text, ...ruling.exempt].join('\n');
  return ruling.kind === 'follow' ? ruling.digest : `${ruling.kind} ${ruling.rule}`;
}

function firstRuling(rules: readonly LocalRule[], tag: Tag): Ruling | undefined {
  for (const { tags, placeGroups, ruling } of rules) {
    if (tags?.test(tag) === false) continue;
    const decided = ruling(() => ({ ...placeGroups, ...tags?.match(tag) }), tag);
    if (decided !== undefined) return decided;
  }
  return undefined;
}

function streamRuling({ rules, ofStream }: RepositoryRulings, named: ImageStreamTag): Ruling | undefined {
  if (ofStream === undefined) return undefined;
  const flat = flatTag(named);
  const before = rules.slice(
    0,
    rules.findIndex((rule) => rule.ofStream !== undefined),
  );
  return (isTag(flat) ? firstRuling(before, flat) : undefined) ?? ofStream(named);
}

function repositoryRulings(compiled: readonly CompiledRule[], text: string): RepositoryRulings {
  const rules = compiled.flatMap(({ repositories, ...rule }) => {
    const placeGroups = repositories.match(text);
    return placeGroups === undefined ? [] : [{ ...rule, placeGroups }];
  });
  const ofStream = rules.find((rule) => rule.ofStream !== undefined)?.ofStream;
  let dependsOnTag = false;
  for (const { tags, placeGroups, ruling } of rules) {
    const decisive = tags === undefined ? ruling(() => placeGroups) : undefined;
    if (decisive !== undefined && decisive.kind !== 'follow')
      return { rules, ruling: decisive, ofStream, dependsOnTag };
    dependsOnTag = true;
  }
  return { rules, ruling: unnamed, ofStream, dependsOnTag };
}

interface RulingParts {
  readonly questions: Questions;
  readonly readings: Readings;
}

function compiledRule(rule: Rule, parts: RulingParts): CompiledRule {
  const repositories = whole(rule, rule.repositories);
  const tags = rule.tags === undefined ? undefined : whole(rule, rule.tags);
  const [wrong] = ruleFaults({ ...rule, repositories, tags });
  if (wrong !== undefined) throw fault(rule, [wrong.path.join('.'), wrong.message].join(' ').trim());
  return { repositories, tags, ruling: rulingOf(rule, parts), ofStream: ofStreams(rule, parts) };
}

function ofStreams(rule: Rule, { questions }: RulingParts): RulingOfStream | undefined {
  if (rule.askImageStreams !== true) return undefined;
  const asker = { name: `${rule.name}, named by an image stream`, exempt: rule.exempt ?? [] };
  return (stream) => asking(asker, [streamQuestion(stream)], questions);
}

function rulingOf(rule: Rule, { questions, readings }: RulingParts): RulingOf {
  const { name, ask, exempt = [] } = rule;
  const asker = { name, exempt };
  if (ask !== undefined) return (groups) => asking(asker, [filledQuestion(ask, groups())], questions);
  if (rule.followDigest === true) return (groups) => following(name, groups());
  if (rule.askImageStreams === true) {
    return (groups, tag) => {
      const whole = tag === undefined ? [] : readings(tag);
      // The group `flat` is the tag without the marks before and behind it.
      const found = whole.length > 0 ? whole : readings(groups()['flat'] ?? '');
      return found.length === 0 ? undefined : asking(asker, streamQuestions(found), questions);
    };
  }
  const ruling = rule.allow === true ? Object.freeze({ kind: 'allow', rule: name } as const) : refusal(rule);
  return () => ruling;
}

function asking(
  { name, exempt }: Required<Pick<Rule, 'name' | 'exempt'>>,
  asked: readonly (Question | undefined)[],
  known: Questions,
): Ruling {
  const questions = new Map<string, Question>();
  for (const question of asked) {
    const reason = 'the access rule has no question to ask about this repository and tag';
    if (question === undefined) return refusal({ name, reason });
    questions.set(questionText(question), question);
  }
  const text = [...questions.keys()].join(' and ');
  const key = `${name}\n${exempt.join('\n')}\n${text}`;
  const ruling =
    known.get(key) ??
    Object.freeze({ kind: 'ask', rule: name, questions: [...questions.values()], text, exempt } as const);
  known.set(key, ruling);
  return ruling;
}

function following(rule: string, { algorithm = 'sha256', hex = '' }: Groups): Ruling {
  const digest = `${algorithm}:${hex}`;
  if (isDigest(digest)) return { kind: 'follow', rule, digest };
  return refusal({ name: rule, reason: 'the tag contains no digest' });
}

function refusal({ name, reason }: Pick<Rule, 'name' | 'reason'>): FinalRuling {
  return Object.freeze({ kind: 'refuse', rule: name, ...(reason === undefined ? {} : { reason }) });
}

function whole(rule: Rule, { source }: WrittenRule): Expression {
  try {
    return Expression.whole(source);
  } catch (error) {
    throw fault(rule, error instanceof Error ? error.message : source);
  }
}

function fault({ name }: Rule, what: string): Error {
  return new Error(`rule ${name}: ${what}`);
}
