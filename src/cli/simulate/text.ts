import type { BoundReport, SimulationReport } from '../../simulate/report.ts';
import type { TraceRest } from '../../simulate/workload.ts';

type ReportRow = readonly [name: string, ...cells: readonly string[]];

const nothing: ReadonlySet<string> = new Set(['0', '0/s', '0 B', '0 B/s', '$0.00']);

/** The reports as a table for people: a column for each size. */
export function reportText(reports: readonly SimulationReport[], rest: TraceRest | undefined): string {
  const row = (name: string, cell: (report: SimulationReport) => string): ReportRow => [
    name,
    ...reports.map(cell),
  ];
  const rows: readonly ReportRow[] = [
    row('disk of a replica', ({ diskBytes }) => (diskBytes === undefined ? 'none' : binary(diskBytes))),
    row('time', ({ countedMs }) => span(countedMs)),
    row('pulls', ({ pulls }) => number(pulls)),
    row('reads of manifests and blobs', ({ reads }) => number(reads)),
    row('failed', ({ failed }) => number(failed)),
    row('hit rate', ({ hitRate }) => percent(hitRate)),
    row('hit rate of bytes', ({ byteHitRate }) => percent(byteHitRate)),
    row('pull, p50', ({ pullMs }) => `${(pullMs.p50 / 1000).toFixed(2)} s`),
    row('pull, p99', ({ pullMs }) => `${(pullMs.p99 / 1000).toFixed(2)} s`),
    row('from the upstream', ({ upstream }) => decimal(upstream.bytes)),
    row('  at most', ({ upstream }) => `${decimal(upstream.peakBytes)}/s`),
    row('  requests', ({ upstream }) => number(upstream.requests)),
    row('  at most', ({ upstream }) => `${number(upstream.peakRequests)}/s`),
    row('  answered 429', ({ upstream }) => number(upstream.throttled)),
    row('reads of S3', ({ s3 }) => number(s3.reads)),
    row('  at most', ({ s3 }) => `${number(s3.peakReads)}/s`),
    row('writes of S3', ({ s3 }) => number(s3.writes)),
    row('between replicas', ({ members }) => decimal(members.bytes)),
    row('to nodes', ({ egress }) => decimal(egress.bytes)),
    row('  one replica at most', ({ egress }) => `${decimal(egress.peakBytes)}/s`),
    row('stored at the end', ({ stored }) => decimal(stored.bytes)),
    row('evicted from the store', ({ evicted }) => decimal(evicted.bytes)),
    row('  downloaded again', ({ evicted }) => decimal(evicted.refetchedBytes)),
    row('evicted from disks', ({ evicted }) => decimal(evicted.diskBytes)),
    row('a month: upstream', ({ month }) => dollars(month.upstream)),
    row('  calls to S3', ({ month }) => dollars(month.s3Calls)),
    row('  the bucket', ({ month }) => dollars(month.bucket)),
    row('  the disks', ({ month }) => dollars(month.disk)),
    row('  in all', ({ month }) => dollars(month.total)),
  ];
  const last = reports.at(-1);
  return [
    ...tableLines(rows.filter(([, ...cells]) => !cells.every((cell) => nothing.has(cell)))),
    ...savingLines(reports),
    ...monthLines(last),
    '',
    ...boundLines(last?.bounds ?? []),
    ...(rest === undefined
      ? []
      : [
          `Left out of the trace: ${number(rest.others)} without content, ${number(rest.unanswered)} without an answer.`,
        ]),
    '',
  ].join('\n');
}

function tableLines(rows: readonly ReportRow[]): string[] {
  const widths = rows.reduce<number[]>(
    (most, cells) => cells.map((cell, index) => Math.max(cell.length, most[index] ?? 0)),
    [],
  );
  return rows.map(([name, ...cells]) =>
    [name.padEnd(widths[0] ?? 0), ...cells.map((cell, index) => cell.padStart(widths[index + 1] ?? 0))].join(
      '  ',
    ),
  );
}

/** What each size saves beside the one before it. */
function savingLines(reports: readonly SimulationReport[]): string[] {
  return reports.flatMap((report, index) => {
    const before = reports[index - 1];
    if (before?.diskBytes === undefined || report.diskBytes === undefined) return [];
    const [old, now] = [before.month, report.month];
    const saved = old.upstream + old.s3Calls - now.upstream - now.s3Calls;
    const more = now.disk - old.disk;
    return [
      `${binary(report.diskBytes)} for ${binary(before.diskBytes)} saves ${dollars(saved)} a month of upstream and S3, and the disks cost ${dollars(more)} more`,
    ];
  });
}

/** An hour: what is counted ends with the last arrival, a little before its end. */
const leastMonthMs = 3_540_000;

/** What a month is reckoned from, where that is little. */
function monthLines(report: SimulationReport | undefined): string[] {
  if (report === undefined || report.countedMs >= leastMonthMs) return [];
  return [
    `A month is reckoned from only ${span(report.countedMs)} of load: simulate an hour or more before you plan by it.`,
  ];
}

function boundLines(bounds: readonly BoundReport[]): string[] {
  const [first] = bounds;
  if (first === undefined) return [];
  const times = 1 / first.share;
  const verdict =
    first.share >= 0.995
      ? `What breaks first: the ${first.bound}, which this load uses up.`
      : `What breaks first: the ${first.bound}, at ${times.toFixed(1)} times this load.`;
  const rows = bounds.map(
    ({ bound, peak, limit, share, unit, atMs }): ReportRow => [
      bound,
      amount(peak, unit),
      `of ${amount(limit, unit)}`,
      percent(share),
      atMs === undefined ? '' : `after ${span(atMs)}`,
    ],
  );
  return [verdict, ...tableLines(rows).map((line) => line.trimEnd())];
}

function amount(value: number, unit: BoundReport['unit']): string {
  if (unit === '1/s') return `${number(value)}/s`;
  return unit === 'bytes' ? decimal(value) : `${decimal(value)}/s`;
}

const names = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

function decimal(bytes: number): string {
  return scaled(bytes, 1000, names);
}

function binary(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']);
}

function scaled(bytes: number, base: number, units: readonly string[]): string {
  let value = bytes;
  let place = 0;
  for (; value >= base && place < units.length - 1; place += 1) value /= base;
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[place]}`;
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}

function dollars(value: number): string {
  const sign = value < 0 ? '-' : '';
  const digits = Math.abs(value) < 10 ? 2 : 0;
  return `${sign}$${Math.abs(value).toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

function span(ms: number): string {
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${(ms / 60_000).toFixed(1)} min`;
  return ms < 172_800_000 ? `${(ms / 3_600_000).toFixed(1)} h` : `${(ms / 86_400_000).toFixed(1)} d`;
}
