import { wholeLatencies } from '../../load/recorder.ts';
import { type LoadMeasure, type LoadResult, loadMeasures } from '../../load/result.ts';

/** What a load came to, for a person. */
export function summaryText(result: LoadResult): string {
  return [
    `${result.title}: ${endText(result)}`,
    ...workLines(result),
    '',
    ...latencyLines(result),
    '',
    ...trafficLines(result),
    ...result.errors.map(({ kind, count, example }) => `${count} × ${kind}: ${example}`),
    ...kneeLines(result),
    ...result.generator.bottlenecks.map((text) => `The generator was a bottleneck: ${text}.`),
    ...result.objections.map((text) => `Failed: ${text}.`),
    '',
  ].join('\n');
}

function endText({ end, durationMs }: LoadResult): string {
  return `${(durationMs / 1000).toFixed(1)} s, ended by ${end}`;
}

function workLines({ work, requests, retries, bytes, isVerified }: LoadResult): string[] {
  const { due, finished, failed, unfinished } = work;
  const checked = isVerified ? `${megabytes(bytes.verified)} checked` : 'digests not checked (--no-verify)';
  return [
    `${due} due, ${finished} finished, ${failed} failed, ${unfinished} unfinished; ${requests} requests, ${retries} made again`,
    `${megabytes(bytes.received)} received, ${checked}, ${bytes.wrong} bytes wrong`,
  ];
}

function latencyLines({ latencies }: LoadResult): string[] {
  const head = row(['measure', 'class', 'count', 'p50', 'p90', 'p99', 'p99.9', 'max']);
  const rows = latencies.map((each) => {
    const times = [each.p50Ms, each.p90Ms, each.p99Ms, each.p999Ms, each.maxMs].map(milliseconds);
    return row([each.measure, each.class, String(each.count), ...times]);
  });
  const whole = loadMeasures.flatMap((measure) => overAll(latencies, measure));
  return [head, ...rows, ...whole];
}

/** The line over all classes, where there are several. */
function overAll(latencies: LoadResult['latencies'], measure: LoadMeasure): string[] {
  if (latencies.filter((each) => each.measure === measure).length < 2) return [];
  const all = wholeLatencies(latencies, [measure]);
  const times = [50, 90, 99, 99.9, 100].map((percent) => milliseconds(all.atPercentile(percent)));
  return [row([measure, 'all', String(all.count), ...times])];
}

function trafficLines({ upstream, bytes }: LoadResult): string[] {
  if (upstream === undefined) return [];
  const { source, amplification, perClientByte } = upstream;
  const ratio = amplification === undefined ? '' : `, ${amplification} for each distinct byte`;
  const share = perClientByte === undefined ? '' : `, ${perClientByte} for each byte of clients`;
  return [
    `${megabytes(upstream.bytes)} from the upstream in ${upstream.requests} requests (${source}), of ${megabytes(bytes.distinct)} distinct${ratio}${share}`,
  ];
}

function kneeLines({ knee }: LoadResult): string[] {
  if (knee === undefined) return [];
  const { beyondPerSecond: beyond, lastGoodPerSecond: good } = knee;
  const where = beyond === undefined ? '' : ` at ${beyond.toFixed(1)} a second`;
  const last = good === undefined ? '' : `; ${good.toFixed(1)} a second was still well`;
  return [`The search for the knee ended: ${knee.end}${where}${last}.`];
}

function row(cells: readonly string[]): string {
  const [measure = '', hitClass = '', ...numbers] = cells;
  return `${measure.padEnd(10)} ${hitClass.padEnd(10)} ${numbers.map((cell) => cell.padStart(10)).join(' ')}`;
}

function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(2)} ms` : `${Math.round(ms)} ms`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
