import type { Report, Section } from './report.ts';
import { columnsOf, ratioRows } from './table.ts';
import { amount, bound, machineLines, spreadFigure, verdict } from './words.ts';

/** The report for people who were not there. */
export function markdown(report: Report): string {
  const absent = Object.entries(report.absent).map(([name, why]) => `- ${name} did not take part: ${why}`);
  return [
    '# Bench',
    '',
    `\`npm run bench${report.form === 'long' ? '' : ` -- --${report.form}`}\`, ${report.startedAt.slice(0, 16).replace('T', ' ')} UTC, ${Math.round(report.seconds)} s. All servers are measured in turn in the same run; the figures are medians, with the least and the most.`,
    '',
    '![Each target, and how far the measured value is from it](latest.svg)',
    '',
    ...machineLines(report.machine).map(([name, value]) => `- ${name}: ${value}`),
    ...absent,
    '',
    '## Targets',
    '',
    ...table(
      ['scenario', 'what', 'measured', 'target', ''],
      report.sections.flatMap(({ title, targets }) =>
        targets.map((target) => [
          title,
          target.what,
          amount(target.value, target.unit, target.spread),
          bound(target),
          verdict(target) === 'met' ? 'met' : `**${verdict(target)}**`,
        ]),
      ),
    ),
    ...report.sections.flatMap(sectionLines),
    '',
  ].join('\n');
}

function sectionLines({ title, measures, notes, failure }: Section): readonly string[] {
  const columns = columnsOf(measures);
  const rows = measures.map(({ what, unit, values, spreads }) => [
    what,
    unit,
    ...columns.map((column) => spreadFigure(values[column], unit, spreads?.[column])),
  ]);
  const [ratioHead, ...ratios] = ratioRows(measures);
  return [
    '',
    `## ${title}`,
    '',
    ...(failure === undefined ? [] : [`Failed: ${failure.split('\n', 1)[0] ?? ''}`, '']),
    ...(rows.length === 0 ? [] : [...table(['', 'unit', ...columns], rows), '']),
    ...(ratioHead === undefined ? [] : [...table(['quayside ÷', ...ratioHead.slice(1)], ratios), '']),
    ...notes.map((note) => `- ${note}`),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
