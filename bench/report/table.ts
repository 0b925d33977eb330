import type { Column, Measure, Target } from '../scenario.ts';
import { amount, bound, figure, verdict } from './words.ts';

type Paint = (text: string, colour: 'green' | 'red' | 'yellow' | 'bold' | 'dim') => string;

const codes = { green: 32, red: 31, yellow: 33, bold: 1, dim: 2 } as const;
const order: readonly Column[] = [
  ...(['quayside', 'docker-registry', 'nginx static', 'nginx cache', 'upstream'] as const),
  ...(['skopeo', 'skopeo × 6'] as const),
];

/** Colours on a terminal, plain text in files and pipes. */
export function paint(isTerminal: boolean): Paint {
  return isTerminal ? (text, colour) => `\u001b[${codes[colour]}m${text}\u001b[0m` : (text) => text;
}

/** The columns that have at least one figure, ours first. */
export function columnsOf(measures: readonly Measure[]): readonly Column[] {
  return order.filter((column) => measures.some(({ values }) => values[column] !== undefined));
}

/**
 * Rows of cells as aligned lines: so many columns to the left, the others, which hold figures, to
 * the right.
 */
export function aligned(
  rows: readonly (readonly string[])[],
  gap = '   ',
  leftColumns = 1,
): readonly string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, cell.length)),
    [],
  );
  const cellOf = (cell: string, i: number): string =>
    i < leftColumns ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0);
  return rows.map((row) => row.map(cellOf).join(gap).trimEnd());
}

/** The measures of one scenario. */
export function measureLines(measures: readonly Measure[]): readonly string[] {
  const columns = columnsOf(measures);
  if (columns.length === 0) return [];
  const rows = measures.map(({ what, unit, values }) => [
    what,
    unit === '×' ? '' : unit,
    ...columns.map((column) => figure(values[column], unit)),
  ]);
  return aligned([['', '', ...columns], ...rows]);
}

/** The targets of one scenario with what came of them. */
export function targetLines(targets: readonly Target[], colour: Paint): readonly string[] {
  const lines = aligned(
    targets.map((target) => [target.what, amount(target.value, target.unit), bound(target)]),
  );
  return lines.map((line, i) => {
    const target = targets[i];
    const word = target === undefined ? 'not measured' : verdict(target);
    return `${line}   ${colour(word, word === 'met' ? 'green' : word === 'not met' ? 'red' : 'yellow')}`;
  });
}
