import { defined } from '../base/text/defined.ts';
import { fieldsOf, isText, listOf, textOf } from '../base/text/json.ts';
import { oneLine } from '../base/text/one-line.ts';
import type { Explanation } from './explain.ts';
import { type ExplainStep, type StepMark, spanText, timeText, titles } from './step.ts';

const signs: Readonly<Record<StepMark, string>> = { ok: '✓', wrong: '✗', unknown: '?' };
const longestLine = 700;
const width = 12;

/** The steps for people: a line each, what more was found below it, and what to do at a fault. */
export function explanationText(explanation: Explanation, now: number): string {
  const { image, subject, notes, steps } = explanation;
  const head = `${image}${subject === undefined ? '' : `, pulled by ${subject}`}`;
  return [
    oneLine(head, longestLine),
    ...notes.map((note) => `  ${oneLine(note, longestLine)}`),
    '',
    ...steps.flatMap((step) => stepLines(step, now)),
    '',
    lastLine(explanation),
    '',
  ].join('\n');
}

function stepLines({ number, title, mark, found, where, at, next }: ExplainStep, now: number): string[] {
  const indent = ' '.repeat(5 + width + 1);
  const [first = '', ...rest] = found.map((line) => oneLine(line, longestLine));
  const age = at === undefined || at <= 0 ? '' : `, ${spanText(now - at)} old`;
  const looked = where === undefined ? [] : [`looked up: ${where}${age}`];
  const help =
    next === undefined || mark !== 'wrong'
      ? []
      : [
          ...next.steps.map((line, index) => `${index === 0 ? 'do:  ' : '     '}${indented(line)}`),
          `who: ${next.who}`,
        ];
  return [
    `${String(number).padStart(2)} ${signs[mark]} ${title.padEnd(width)} ${first}`,
    ...[...rest, ...looked, ...help].map((line) => `${indent}${line}`),
  ];
}

/** Lines of a file keep their indent. */
function indented(line: string): string {
  const [spaces = ''] = /^ */.exec(line) ?? [];
  return `${spaces}${oneLine(line, longestLine)}`;
}

function lastLine({ steps, verdict }: Explanation): string {
  if (verdict === 'well') return 'well: nothing is wrong with it';
  const first = steps.find(({ mark, decides = true }) =>
    verdict === 'wrong' ? mark === 'wrong' : mark === 'unknown' && decides,
  );
  if (first === undefined) return 'unknown: it cannot be told';
  const [line = ''] = first.found;
  return oneLine(`${verdict}: ${first.number} ${first.title}: ${line}`, longestLine);
}

/** The same for programs. */
export function explanationJson(explanation: Explanation): object {
  const { image, subject, notes, steps, verdict } = explanation;
  return {
    image,
    ...(subject === undefined ? {} : { subject }),
    verdict,
    notes,
    steps: steps.map(({ number, title, mark, found, where, at, next, decides = true }) => ({
      number,
      title,
      mark,
      decides,
      found,
      ...(where === undefined ? {} : { where }),
      ...(at === undefined || at <= 0 ? {} : { at: timeText(at) }),
      ...(next === undefined || mark !== 'wrong' ? {} : { next: { do: next.steps, who: next.who } }),
    })),
  };
}

/** How a command ends: 0, 1, or 3 where it cannot be told. */
export const exitCodes = { well: 0, wrong: 1, unknown: 3 } as const;

/** What `explanationJson` made, read back; undefined for anything else. */
export function parseExplanation(value: unknown): Explanation | undefined {
  const { image, subject, verdict, notes, steps } = fieldsOf(value);
  if (!isText(image) || !Array.isArray(steps)) return undefined;
  if (verdict !== 'well' && verdict !== 'wrong' && verdict !== 'unknown') return undefined;
  const read = steps.map(parseStep);
  const known = read.filter((step) => step !== undefined);
  if (known.length !== read.length) return undefined;
  return { image, verdict, notes: textsOf(notes), steps: known, ...defined({ subject: textOf(subject) }) };
}

function parseStep(value: unknown): ExplainStep | undefined {
  const { number, title, mark, decides, found, where, at, next } = fieldsOf(value);
  const known = titles.find((each) => each === title);
  if (known === undefined || typeof number !== 'number') return undefined;
  if (mark !== 'ok' && mark !== 'wrong' && mark !== 'unknown') return undefined;
  const { do: steps, who } = fieldsOf(next);
  return {
    number,
    title: known,
    mark,
    found: textsOf(found),
    decides: decides !== false,
    ...defined({
      where: textOf(where),
      at: isText(at) ? Date.parse(at) : undefined,
      next: isText(who) ? { steps: textsOf(steps), who } : undefined,
    }),
  };
}

function textsOf(value: unknown): readonly string[] {
  return listOf(value).flatMap((each) => textOf(each) ?? []);
}
