import { type LoadResult, loadMeasures } from '../result.ts';
import { figure, markdownTable, spreadText } from './figures.ts';
import { measureName, mergedHistogram } from './plots.ts';
import { ratiosOf, spreadOf } from './spread.ts';

/** The runs of one side, in the order in which they were made. */
export interface ComparedRuns {
  readonly name: string;
  readonly results: readonly LoadResult[];
}

/**
 * Two sides as a table of Markdown: medians with their spread, and the ratio of each pair of runs
 * with its spread. With one run a side there are no ratios, because nothing says how much of them
 * is chance.
 */
export function comparison(first: ComparedRuns, second: ComparedRuns): string {
  const rows = [...latencyRows(), ...otherRows].flatMap(({ name, of }) => {
    const [a, b] = [first, second].map(({ results }) => results.map(of));
    const [left, right] = [spreadOf(a ?? []), spreadOf(b ?? [])];
    if (left === undefined || right === undefined) return [];
    const ratios = a?.length === b?.length ? ratiosOf(b ?? [], a ?? []) : undefined;
    return [
      [name, spreadText(left), spreadText(right), ratios === undefined ? '–' : `${spreadText(ratios)} ×`],
    ];
  });
  const table = markdownTable([['', first.name, second.name, `${second.name} ÷ ${first.name}`], ...rows]);
  return `${[...table, '', ...notesOn(first, second).map((note) => `- ${note}`)].join('\n')}\n`;
}

interface ComparedFigure {
  readonly name: string;
  /** Not a number where a run has none. */
  readonly of: (result: LoadResult) => number;
}

const percentiles = [50, 99] as const;

function latencyRows(): readonly ComparedFigure[] {
  return loadMeasures.flatMap((measure) =>
    percentiles.map((percent) => ({
      name: `${measureName(measure)}, p${percent}, ms`,
      of(result: LoadResult) {
        const all = mergedHistogram(result, measure);
        return all.count === 0 ? Number.NaN : all.atPercentile(percent);
      },
    })),
  );
}

const perSecond = (count: number, { durationMs }: LoadResult): number =>
  count / (Math.max(1, durationMs) / 1000);

const otherRows: readonly ComparedFigure[] = [
  { name: 'ended well, a second', of: (result) => perSecond(result.work.finished, result) },
  { name: 'received, MB a second', of: (result) => perSecond(result.bytes.received / 1e6, result) },
  { name: 'errors', of: ({ errors }) => errors.reduce((sum, { count }) => sum + count, 0) },
  { name: 'retries', of: ({ retries }) => retries },
  {
    name: 'upstream bytes for each distinct byte',
    of: ({ upstream }) => upstream?.amplification ?? Number.NaN,
  },
];

function notesOn(first: ComparedRuns, second: ComparedRuns): readonly string[] {
  const sides = [first, second];
  const counts = sides.map(({ results }) => results.length);
  const settings = differing(first.results[0], second.results[0]);
  return [
    counts[0] === counts[1] && (counts[0] ?? 0) > 1
      ? `Medians of ${counts[0]} runs a side, with the least and the most; ratios run by run.`
      : `${counts.join(' and ')} runs: there are no ratios, because only pairs of two runs or more have a spread.`,
    ...(settings.length === 0 ? [] : [`The settings differ: ${settings.join('; ')}.`]),
    ...sides.flatMap(({ name, results }) => {
      const bound = results.filter(({ generator }) => generator.bottlenecks.length > 0).length;
      const unverified = results.filter(({ isVerified }) => !isVerified).length;
      return [
        ...(bound === 0 ? [] : [`${name}: the generator was the bottleneck in ${figure(bound)} of them.`]),
        ...(unverified === 0 ? [] : [`${name}: digests were not checked in ${figure(unverified)} of them.`]),
      ];
    }),
  ];
}

/** What was not the same for both, the target left out. */
function differing(first: LoadResult | undefined, second: LoadResult | undefined): readonly string[] {
  const [a, b] = [first?.settings ?? {}, second?.settings ?? {}];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((name) => name !== 'target' && name !== 'title' && a[name] !== b[name])
    .map((name) => `${name} is ${String(a[name])} and ${String(b[name])}`);
}
