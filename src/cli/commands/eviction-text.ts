import type { EvictionReport } from '../../cache/eviction/evictor.ts';
import type { Eviction } from '../../cache/eviction/plan.ts';
import type { Config } from '../../config/load.ts';

type Marks = Config['eviction'] & { readonly maxBytes: number };

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** The line above the table. */
export const evictionHeading = row('SIZE', 'LAST USED', 'WHY', 'DIGEST');

/** One deletion as a line of the table. */
export function evictionLine({ size, usedAt, reason, digest }: Eviction): string {
  return row(sizeText(size), timeText(usedAt), reason, digest);
}

/** What a run came to, for a person. */
export function summaryText(report: EvictionReport, marks: Marks): string {
  if (report.outcome === 'busy')
    return 'Another process is evicting from this store right now; nothing done.\n';
  const held = `${sizeText(report.beforeBytes)} in ${piecesText(report.blobs)}`;
  const high = sizeText((marks.maxBytes * marks.highPercent) / 100);
  const low = sizeText((marks.maxBytes * marks.lowPercent) / 100);
  if (report.outcome === 'below mark') return `The store holds ${held}; eviction starts above ${high}.\n`;
  const verb = report.outcome === 'planned' ? 'Would delete' : 'Deleted';
  const freed = `${piecesText(report.evictions.length)}, ${sizeText(report.beforeBytes - report.afterBytes)}`;
  return [
    `The store held ${held}, more than ${high} (${marks.highPercent} % of ${sizeText(marks.maxBytes)}).`,
    `${verb} ${freed}; ${sizeText(report.afterBytes)} remain, low-water mark ${low}.`,
    ...keptLines(report),
    '',
  ].join('\n');
}

function keptLines({ kept, isStuck }: EvictionReport): string[] {
  if (kept === undefined) return [];
  const { pinned, inUse, young, referenced, spare } = kept;
  return [
    `Kept: ${pinned} pinned, ${inUse} in use, ${young} stored or used recently, ${referenced} referenced by kept manifests, ${spare} below the low-water mark.`,
    ...(isStuck ? ['Low-water mark not reached: the remaining blobs are pinned or in use.'] : []),
  ];
}

function piecesText(count: number): string {
  return count === 1 ? '1 piece' : `${count} pieces`;
}

function row(size: string, usedAt: string, reason: string, digest: string): string {
  return `${size.padStart(10)}  ${usedAt.padEnd(16)}  ${reason.padEnd(16)}  ${digest}\n`;
}

function timeText(time: number): string {
  return new Date(time).toISOString().slice(0, 16).replace('T', ' ');
}

function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), sizeUnits.length - 1);
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${sizeUnits[power]}`;
}
