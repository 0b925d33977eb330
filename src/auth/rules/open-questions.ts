import type { Subject } from '../access.ts';
import type { Judge } from '../clusters/cluster.ts';
import type { Question } from '../question.ts';
import type { FinalRuling } from './rules.ts';
import type { FinalTagPath } from './tag-paths.ts';

/** A question, and the ways on which it is the one to ask. */
export interface OpenQuestion {
  readonly ruling: FinalRuling;
  readonly ways: readonly FinalTagPath[];
}

/** The questions of the tag paths in the order in which a yes is found soonest. */
interface OrderedQuestions {
  /** Allowed before, though that has lapsed. */
  readonly likely: readonly OpenQuestion[];
  /** In namespaces where the subject was allowed something before. */
  readonly familiar: readonly OpenQuestion[];
  /** Many in one namespace: first one about the whole of it. */
  readonly crowds: readonly Crowd[];
  /** One for each namespace first. */
  readonly others: readonly OpenQuestion[];
  /** That image streams only hint at, last: every user may write thousands of those. */
  readonly hints: readonly OpenQuestion[];
}

/** The questions about many streams of one namespace. */
export interface Crowd {
  /** About every stream of the namespace. */
  readonly whole: Question;
  readonly questions: readonly OpenQuestion[];
}

/** Above this number of streams the namespace is asked about first. */
const mostAlone = 4;

/** Each question once, except the final one. */
export function openQuestions(
  ways: readonly FinalTagPath[],
  last: FinalRuling,
  { judge, subject }: { readonly judge: Judge; readonly subject: Subject },
): OrderedQuestions {
  const others = ways.filter(({ ruling }) => textOf(ruling) !== textOf(last));
  const groups = [...Map.groupBy(others, ({ ruling }) => textOf(ruling)).values()];
  const questions = groups.flatMap((same) => same.slice(0, 1).map(({ ruling }) => ({ ruling, ways: same })));
  const wasAllowed = ({ ruling }: OpenQuestion): boolean =>
    ruling.kind === 'ask' &&
    ruling.questions.every((question) => judge.wasAllowed?.(subject, question) === true);
  const isFamiliar = (question: OpenQuestion): boolean =>
    judge.wasAllowedIn?.(subject, namespaceOf(question)) === true;
  const isHinted = (question: OpenQuestion): boolean => question.ways.every(({ isHint }) => isHint === true);
  const {
    likely = [],
    familiar = [],
    rest = [],
    hints = [],
  } = Object.groupBy(questions, (question) => {
    if (wasAllowed(question)) return 'likely';
    if (isHinted(question)) return 'hints';
    return isFamiliar(question) ? 'familiar' : 'rest';
  });
  const { known = [], unknown = [] } = Object.groupBy(hints, (hint) =>
    isFamiliar(hint) ? 'known' : 'unknown',
  );
  return {
    likely,
    familiar,
    crowds: crowdsOf(rest),
    others: onePerNamespaceFirst(rest),
    hints: [...known, ...onePerNamespaceFirst(unknown)],
  };
}

function crowdsOf(questions: readonly OpenQuestion[]): readonly Crowd[] {
  return [...Map.groupBy(questions, namespaceOf).values()].flatMap((same) => {
    const [question] = same.flatMap(({ ruling }) => (ruling.kind === 'ask' ? ruling.questions : []));
    if (same.length <= mostAlone || question === undefined) return [];
    const { name: _, ...whole } = question;
    return [{ whole: Object.freeze(whole), questions: same }];
  });
}

function onePerNamespaceFirst(questions: readonly OpenQuestion[]): readonly OpenQuestion[] {
  const seen = new Set<string>();
  const { first = [], second = [] } = Object.groupBy(questions, (question) => {
    const namespace = namespaceOf(question);
    if (seen.has(namespace)) return 'second';
    seen.add(namespace);
    return 'first';
  });
  return [...first, ...second];
}

function namespaceOf({ ruling }: OpenQuestion): string {
  return ruling.kind === 'ask' ? (ruling.questions[0]?.namespace ?? '') : '';
}

function textOf(ruling: FinalRuling): string {
  return ruling.kind === 'ask' ? ruling.text : '';
}
