import type { FinalRuling } from './rules.ts';
import type { FinalTagPath } from './tag-paths.ts';

/** A question, and the ways on which it is the one to ask. */
export interface OpenQuestion {
  readonly ruling: FinalRuling;
  readonly ways: readonly FinalTagPath[];
}

/** The questions of the tag paths: each once, except the final; one per namespace first. */
export function openQuestions(ways: readonly FinalTagPath[], last: FinalRuling): readonly OpenQuestion[] {
  const others = ways.filter(({ ruling }) => textOf(ruling) !== textOf(last));
  const groups = Map.groupBy(others, ({ ruling }) => textOf(ruling)).values();
  const questions = groups.flatMap((same) => same.slice(0, 1).map(({ ruling }) => ({ ruling, ways: same })));
  const seen = new Set<string>();
  const { first = [], second = [] } = Object.groupBy(questions, ({ ruling }) => {
    const namespace = ruling.kind === 'ask' ? (ruling.questions[0]?.namespace ?? '') : '';
    if (seen.has(namespace)) return 'second';
    seen.add(namespace);
    return 'first';
  });
  return [...first, ...second];
}

function textOf(ruling: FinalRuling): string {
  return ruling.kind === 'ask' ? ruling.text : '';
}
