import { hostname } from 'node:os';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { createEvictor, type EvictionReport } from '../../cache/eviction/evictor.ts';
import type { Eviction } from '../../cache/eviction/plan.ts';
import { createUsage } from '../../cache/eviction/usage.ts';
import type { Config } from '../../config/load.ts';
import { createBufferPool } from '../../store/buffers.ts';
import type { Store } from '../../store/store.ts';
import { refuseWords, UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Io, Output, Run } from '../flags/io.ts';
import { isJson } from '../flags/values.ts';
import { evictFlags } from '../pages/store.ts';
import { configFile } from '../serve/config-file.ts';

type Marks = Config['eviction'] & { readonly maxBytes: number };

type OpenStore = (config: Config) => MaybePromise<Store>;

/**
 * `quayside evict`: one run of the eviction, beside servers that use the same store, or its plan.
 * Content that those servers read now counts as just used, and is not deleted.
 */
export function evicting(open: OpenStore): Run {
  return async (args, io) => {
    const { values, words } = parseFlags(evictFlags, args);
    refuseWords(words, '; name a file by --config');
    const config = await configFile(values.config, io);
    const { maxBytes } = config.eviction;
    if (maxBytes === undefined)
      throw new UsageError('eviction.maxBytes is not set, so nothing is ever evicted');
    if ('memory' in config.store)
      throw new UsageError('needs a filesystem or s3 store; the CLI cannot read store.memory');
    const store = await open(config);
    try {
      const dryRun = values['dry-run'] === true;
      const json = isJson(values);
      await evictFrom(store, { ...config.eviction, maxBytes }, { dryRun, json }, io);
      return 0;
    } finally {
      await store.close();
    }
  };
}

/** `quayside evict` on the medium that the configuration names. */
export const evict: Run = evicting(async (config) => {
  const { configuredStore } = await import('../../app/store.ts');
  return configuredStore(config, createBufferPool(), {});
});

async function evictFrom(
  store: Store,
  marks: Marks,
  { dryRun, json }: { readonly dryRun: boolean; readonly json: boolean },
  { stdout, signal }: Io,
): Promise<void> {
  const instance = `evict.${hostname()}`;
  const uses = createUsage({ records: store.records, instance });
  const evicted = json ? () => {} : table(stdout);
  const runner = createEvictor({ ...marks, store, usage: uses, instance, events: { evicted } });
  try {
    const report = await runner.run({ dryRun, signal });
    if (dryRun) report.evictions.forEach(evicted);
    stdout.write(json ? `${JSON.stringify(report)}\n` : summaryText(report, marks));
  } finally {
    await runner.close();
    await uses.close();
  }
}

/** Writes each deletion when it is done, so that a run broken off has said what it did. */
function table(stdout: Output): (eviction: Eviction) => void {
  let isHeaded = false;
  return (eviction) => {
    if (!isHeaded) stdout.write(evictionHeading);
    isHeaded = true;
    stdout.write(evictionLine(eviction));
  };
}

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** The line above the table. */
const evictionHeading = row('SIZE', 'LAST USED', 'WHY', 'DIGEST');

/** One deletion as a line of the table. */
function evictionLine({ size, usedAt, reason, digest }: Eviction): string {
  return row(sizeText(size), timeText(usedAt), reason, digest);
}

/** What a run came to, for a person. */
function summaryText(report: EvictionReport, marks: Marks): string {
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
