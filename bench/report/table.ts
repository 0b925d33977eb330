import { spreadText } from '../../src/load/report/figures.ts';
import { peerNames } from '../peers/peers.ts';
import type { Column, Measure, Target } from '../scenario.ts';
import { amount, bound, spreadFigure, verdict } from './words.ts';

/** The ratio of a measure to each other one, with its spread, as rows of a table. */
export function ratioRows(measures: readonly Measure[]): readonly (readonly string[])[] {
  const columns = order.filter((column) => measures.some(({ ratios }) => ratios?.[column] !== undefined));
  if (columns.length === 0) return [];
  const rows = measures
    .filter(({ ratios }) => columns.some((column) => ratios?.[column] !== undefined))
    .map(({ what, ratios }) => [
      what,
      ...columns.map((column) => (ratios?.[column] === undefined ? '–' : `${spreadText(ratios[column])} ×`)),
    ]);
  return [['', ...columns], ...rows];
}

type Paint = (text: string, colour: 'green' | 'red' | 'yellow' | 'bold' | 'dim') => string;

const codes = { green: 32, red: 31, yellow: 33, bold: 1, dim: 2 } as const;
const order: readonly Column[] = [
  ...peerNames,
  ...(['node:http', 'nginx static', 'upstream'] as const),
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
  const rows = measures.map(({ what, unit, values, spreads }) => [
    what,
    unit === '×' ? '' : unit,
    ...columns.map((column) => spreadFigure(values[column], unit, spreads?.[column])),
  ]);
  const ratios = aligned(ratioRows(measures));
  const told = ratios.length === 0 ? [] : ['', 'quayside ÷', ...ratios];
  return [...aligned([['', '', ...columns], ...rows]), ...told];
}

/** The targets of one scenario with what came of them. */
export function targetLines(targets: readonly Target[], colour: Paint): readonly string[] {
  const lines = aligned(
    targets.map((target) => [target.what, amount(target.value, target.unit, target.spread), bound(target)]),
  );
  return lines.map((line, i) => {
    const target = targets[i];
    const word = target === undefined ? 'not measured' : verdict(target);
    return `${line}   ${colour(word, word === 'met' ? 'green' : word === 'not met' ? 'red' : 'yellow')}`;
  });
}
