import { createHistogram, type LatencyHistogram, parseHistogram } from '../histogram.ts';
import { type LoadMeasure, type LoadResult, type LoadSecond, loadMeasures } from '../result.ts';
import { duration, figure } from './figures.ts';
import { type LineChart, lineChart, type Series } from './line-chart.ts';
import { linearScale, logScale, percentileScale } from './scale.ts';
import { svgOf } from './svg.ts';

/** A picture, and the name of its file. */
export interface LoadPlot {
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

type LoadKnee = NonNullable<LoadResult['knee']>;

const width = 860;
/** So many points a line: a load of hours has thousands of seconds. */
const mostPoints = 240;
const mostClasses = 6;

const measureNames: Readonly<Record<LoadMeasure, string>> = {
  firstByte: 'first byte',
  manifest: 'manifest',
  layer: 'blob',
  range: 'range',
  image: 'whole image',
  other: 'other',
};

/** How people call a measure. */
export function measureName(measure: LoadMeasure): string {
  return measureNames[measure];
}

/** All pictures of a result. Each can be read in black and white. */
export function loadPlots(result: LoadResult): readonly LoadPlot[] {
  return [
    { name: 'latency', title: 'Latency by percentile', svg: latencyPlot(result) },
    ...classPlots(result),
    { name: 'over-time', title: 'Over time', svg: timePlot(result.seconds) },
    ...(result.knee === undefined ? [] : [kneePlot(result.knee)]),
  ];
}

/** All latencies of a measure, whatever their class. */
export function mergedHistogram(result: LoadResult, measure: LoadMeasure): LatencyHistogram {
  const all = createHistogram();
  for (const latency of result.latencies) if (latency.measure === measure) all.add(parseHistogram(latency));
  return all;
}

function latencyPlot(result: LoadResult): string {
  const named = loadMeasures.map(
    (measure) => [measureName(measure), mergedHistogram(result, measure)] as const,
  );
  return percentilePlot('Latency by percentile', named);
}

/** One for each measure that has several classes of answers. */
function classPlots({ latencies }: LoadResult): readonly LoadPlot[] {
  return loadMeasures.flatMap((measure): LoadPlot[] => {
    const classes = latencies.filter((latency) => latency.measure === measure && latency.count > 0);
    if (classes.length < 2 || measure === 'other') return [];
    const shown = classes.toSorted((a, b) => b.count - a.count).slice(0, mostClasses);
    const title = `Latency of ${measureName(measure)} by what the cache had`;
    const named = shown.map((latency) => [latency.class, parseHistogram(latency)] as const);
    return [{ name: `latency-${measure.toLowerCase()}`, title, svg: percentilePlot(title, named) }];
  });
}

/** Latency on a logarithmic scale against percentiles, the last ones as wide as the first. */
function percentilePlot(
  title: string,
  named: readonly (readonly [name: string, histogram: LatencyHistogram])[],
): string {
  const filled = named.filter(([, { count }]) => count > 0);
  const most = Math.max(90, ...filled.map(([, { count }]) => 100 * (1 - 1 / Math.max(10, count))));
  const series = filled.map(([name, histogram]) => ({ name, points: percentilesOf(histogram) }));
  const values = series.flatMap(({ points }) => points.map(({ y }) => y));
  const size = { width, height: 380 };
  const chart: LineChart = {
    title,
    x: { scale: percentileScale(most), name: 'share of the answers that took no longer' },
    y: { scale: logScale(Math.min(...values, 100), Math.max(...values, 100), duration), name: 'logarithmic' },
    series,
    ...(series.length === 0 ? { nothing: 'nothing was answered' } : {}),
  };
  return svgOf(size, title, lineChart(chart, { x: 0, y: 0 }, size));
}

/** Points that are as far from each other on the scale; the last one is that of a single answer. */
function percentilesOf(histogram: LatencyHistogram): Series['points'] {
  const nines = Math.log10(Math.max(10, histogram.count));
  return Array.from({ length: 41 }, (_, index) => {
    const x = 100 * (1 - 10 ** ((-index * nines) / 40));
    return { x, y: histogram.atPercentile(Math.min(100, x)) };
  }).filter(({ y }) => y > 0);
}

function timePlot(seconds: readonly LoadSecond[]): string {
  const spans = thinned(seconds);
  const longest = Math.max(1, ...seconds.map(({ second }) => second + 1));
  const line = (name: string, of: (span: LoadSpan) => number): Series => ({
    name,
    points: spans.map((span) => ({ x: span.second, y: of(span) })),
  });
  const panel = (title: string, unit: string, series: readonly Series[], nothing?: string): LineChart => ({
    title,
    x: { scale: linearScale(longest, figure), name: 'seconds since the start' },
    y: { scale: linearScale(greatest(series), figure), name: unit },
    series,
    hasLegendSpace: true,
    ...(nothing === undefined || greatest(series) > 0 ? {} : { nothing }),
  });
  const panels = [
    panel('Arrivals that were due, and that ended well', 'a second', [
      line('due', ({ due }) => due),
      line('ended well', ({ finished }) => finished),
    ]),
    panel('Bytes of bodies', 'MB a second', [line('bytes', ({ bytes }) => bytes / 1e6)]),
    panel('Work under way', 'at once', [line('under way', ({ underWay }) => underWay)]),
    panel('Longest since it was due', 'seconds', [line('longest', ({ longestMs }) => longestMs / 1000)]),
    panel('Errors', 'a second', [line('errors', ({ errors }) => errors)], 'none'),
  ];
  const height = 190;
  const parts = panels.flatMap((chart, index) =>
    lineChart(chart, { x: 0, y: index * height }, { width, height }),
  );
  return svgOf({ width, height: panels.length * height }, 'The load over time', parts);
}

/** Seconds drawn as one point: means of what is counted, the greatest of the rest. */
interface LoadSpan
  extends Pick<LoadSecond, 'second' | 'due' | 'finished' | 'bytes' | 'underWay' | 'longestMs' | 'errors'> {}

function thinned(seconds: readonly LoadSecond[]): readonly LoadSpan[] {
  const length = Math.max(1, Math.ceil(seconds.length / mostPoints));
  const spans = Array.from({ length: Math.ceil(seconds.length / length) }, (_, index) =>
    seconds.slice(index * length, (index + 1) * length),
  );
  return spans.map((span) => {
    const mean = (of: (second: LoadSecond) => number): number =>
      span.reduce((sum, second) => sum + of(second), 0) / span.length;
    return {
      second: span[0]?.second ?? 0,
      due: mean(({ due }) => due),
      finished: mean(({ finished }) => finished),
      bytes: mean(({ bytes }) => bytes),
      errors: mean(({ errors }) => errors),
      underWay: Math.max(...span.map(({ underWay }) => underWay)),
      longestMs: Math.max(...span.map(({ longestMs }) => longestMs)),
    };
  });
}

function kneePlot({ steps }: LoadKnee): LoadPlot {
  const title = 'Latency by rate';
  const size = { width, height: 340 };
  const sorted = steps.toSorted((a, b) => a.achievedPerSecond - b.achievedPerSecond);
  const line = (name: string, of: (step: LoadKnee['steps'][number]) => number): Series => ({
    name,
    points: sorted.map((step) => ({ x: step.achievedPerSecond, y: of(step) })),
  });
  const series = [line('p50', ({ p50Ms }) => p50Ms), line('p99', ({ p99Ms }) => p99Ms)];
  const values = series.flatMap(({ points }) => points.map(({ y }) => y)).filter((y) => y > 0);
  const chart: LineChart = {
    title,
    x: {
      scale: linearScale(Math.max(1, ...steps.map((step) => step.achievedPerSecond)), figure),
      name: 'arrivals begun a second',
    },
    y: { scale: logScale(Math.min(...values, 100), Math.max(...values, 100), duration), name: 'logarithmic' },
    series,
  };
  return { name: 'knee', title, svg: svgOf(size, title, lineChart(chart, { x: 0, y: 0 }, size)) };
}

function greatest(series: readonly Series[]): number {
  return Math.max(0, ...series.flatMap(({ points }) => points.map(({ y }) => y)));
}
