import { parseHistogram } from '../histogram.ts';
import { type LoadResult, loadMeasures, type MeasuredLatency } from '../result.ts';
import { bytesText, duration, figure, markdownTable } from './figures.ts';
import { loadPlots, measureName, mergedHistogram } from './plots.ts';

/**
 * A result for people who were not there. The pictures are those of `loadPlots`, as files named by
 * `fileOf`.
 */
export function loadMarkdown(result: LoadResult, fileOf: (plot: string) => string): string {
  const sections = [
    [`# Load on ${result.title}`, '', ...verdictLines(result)],
    ['## Latency', '', ...latencyLines(result)],
    ...loadPlots(result).map(({ name, title }) => [`![${title}](${fileOf(name)})`]),
    ['## Work and bytes', '', ...workLines(result)],
    ...errorSections(result),
    ...kneeSections(result),
    ['## How it was made', '', ...generatorLines(result)],
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function verdictLines(result: LoadResult): readonly string[] {
  const { objections, startedAt, durationMs, target, end, generator, isVerified, wrongContent } = result;
  const mirror =
    target.mirrorOf === undefined
      ? ''
      : `, as the mirror of ${target.mirrorOf} (by ${target.mirrorBy ?? 'path'})`;
  const server = target.server === undefined ? '' : `; it says that it is ${target.server}`;
  return [
    objections.length === 0
      ? '**Passed**: no limit was exceeded.'
      : `**Did not pass**: ${objections.join('; ')}.`,
    '',
    `- target: ${target.url}${mirror}${server}`,
    `- ${startedAt}, ${duration(durationMs)}; ended by ${end}`,
    isVerified
      ? `- digests: ${bytesText(result.bytes.verified)} checked, ${bytesText(result.bytes.wrong)} wrong`
      : '- digests: **not checked** (`--no-verify`)',
    ...wrongContent.map(
      ({ url, digest, bytes, atMs }) =>
        `- **wrong bytes** after ${duration(atMs)}: ${url} sent ${bytesText(bytes)} that are not ${digest}`,
    ),
    ...generator.bottlenecks.map((why) => `- **the generator was the bottleneck**: ${why}`),
  ];
}

function latencyLines(result: LoadResult): readonly string[] {
  const rows = loadMeasures.flatMap((measure) => {
    const classes = result.latencies.filter((latency) => latency.measure === measure && latency.count > 0);
    const name = measureName(measure);
    const byClass = classes.map((latency) => latencyRow(`${name}, ${latency.class}`, latency));
    const all = mergedHistogram(result, measure);
    return classes.length < 2 ? byClass : [latencyRow(name, all.summary()), ...byClass];
  });
  if (rows.length === 0) return ['Nothing was answered.'];
  return [
    ...markdownTable([['', 'count', 'p50', 'p90', 'p99', 'p99.9', 'longest'], ...rows]),
    '',
    'From when the request was due, not from when it was sent, to the last byte (first byte: to that).',
    'The word behind the comma is what the `Quayside-Cache` header said; `none` is an answer without it.',
  ];
}

function latencyRow(name: string, latency: Omit<MeasuredLatency, 'measure' | 'class'>): readonly string[] {
  const { count, p50Ms, p90Ms, p99Ms, p999Ms, maxMs } = latency;
  // A percentile of fewer answers than it takes to have one is the longest of them.
  const at = (least: number, ms: number): string => (count < least ? '–' : duration(ms));
  return [
    name,
    figure(count),
    duration(p50Ms),
    at(10, p90Ms),
    at(100, p99Ms),
    at(1000, p999Ms),
    duration(maxMs),
  ];
}

function workLines({ work, requests, retries, bytes, durationMs, upstream }: LoadResult): readonly string[] {
  const seconds = Math.max(durationMs, 1) / 1000;
  const rows = [
    ['arrivals: due, begun', `${figure(work.due)}, ${figure(work.started)}`],
    ['ended well', `${figure(work.finished)} (${figure(work.finished / seconds)} a second)`],
    ['failed, unfinished', `${figure(work.failed)}, ${figure(work.unfinished)}`],
    ['requests, of these again', `${figure(requests)}, ${figure(retries)}`],
    ['bytes received', `${bytesText(bytes.received)} (${bytesText(bytes.received / seconds)} a second)`],
    ['distinct bytes', bytesText(bytes.distinct)],
  ];
  if (upstream !== undefined) {
    const { source, amplification, perClientByte } = upstream;
    rows.push([
      `taken from the upstream (${source === 'front' ? 'counted before it' : 'by the metrics of the target'})`,
      `${bytesText(upstream.bytes)} in ${figure(upstream.requests)} requests`,
    ]);
    if (amplification !== undefined)
      rows.push(['upstream bytes for each distinct byte', `${figure(amplification)} ×`]);
    if (perClientByte !== undefined)
      rows.push(['upstream bytes for each byte of a client', `${figure(perClientByte)} ×`]);
  }
  return markdownTable([['', ''], ...rows]);
}

function errorSections({ errors }: LoadResult): readonly (readonly string[])[] {
  const rows = errors.map(({ kind, count, example }) => [kind, figure(count), example]);
  const table = markdownTable([['', 'count', 'for example'], ...rows]);
  return [['## Errors', '', ...(errors.length === 0 ? ['None.'] : table)]];
}

function kneeSections({ knee }: LoadResult): readonly (readonly string[])[] {
  if (knee === undefined) return [];
  const { steps, beyondPerSecond, lastGoodPerSecond, end } = knee;
  const rows = steps.map((step) => [
    `${figure(step.ratePerSecond)}${step.isGeneratorBound ? ' (the generator was the bottleneck)' : ''}`,
    figure(step.achievedPerSecond),
    duration(step.p50Ms),
    duration(step.p99Ms),
    figure(step.errors),
  ]);
  const found =
    beyondPerSecond === undefined
      ? `No knee was found: ${end}.`
      : `The p99 doubles between ${figure(lastGoodPerSecond ?? 0)} and ${figure(beyondPerSecond)} arrivals a second: ${end}.`;
  return [
    ['## Knee', '', found, '', ...markdownTable([['rate wanted', 'begun', 'p50', 'p99', 'errors'], ...rows])],
  ];
}

function generatorLines({ generator, machine, settings }: LoadResult): readonly string[] {
  const { processes, processorMs, busyLoop, heldBack, verifyWaitMs, residentBytes } = generator;
  const lag = parseHistogram(generator.lag);
  return [
    `- machine: ${machine.cores} × ${machine.processor}, ${bytesText(machine.memoryBytes)}, ${machine.system}, Node ${machine.node}; load before ${figure(machine.loadBefore)}`,
    `- generator: ${processes} ${processes === 1 ? 'process' : 'processes'}, ${duration(processorMs)} of processor time, busiest loop ${figure(100 * busyLoop)} %, at most ${bytesText(residentBytes)}`,
    `- arrivals begun late: p99 ${duration(lag.atPercentile(99))}; held back by the greatest concurrency: ${figure(heldBack)}; waited for digests: ${duration(verifyWaitMs)}`,
    '',
    ...markdownTable([
      ['setting', 'value'],
      ...Object.entries(settings).map(([name, value]) => [`\`${name}\``, String(value)]),
    ]),
  ];
}
