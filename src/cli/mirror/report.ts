import { writeFile } from 'node:fs/promises';
import type { Mapping } from '../../mirror/batch/mapping.ts';
import type { CopiedImage, ImageCopy } from '../../mirror/images/image-copy.ts';
import type { CopyReport } from '../../mirror/images/tally.ts';
import { pullSpecText } from '../../mirror/references/pull-spec.ts';
import { decimalSize, durationText } from './go-text.ts';
import type { PlannedImages } from './images.ts';

/** The result of a run, in terms of the mappings. */
export interface MirrorReport {
  readonly images: Readonly<Record<CopiedImage['outcome'] | 'missing' | 'failed', number>>;
  readonly blobs: CopyReport['blobs'];
  readonly foreignSkipped: CopyReport['foreignSkipped'];
  readonly bytes: number;
  readonly seconds: number;
  readonly done: readonly (ReportedPair & CopiedImage)[];
  readonly failed: readonly (ReportedPair & { readonly kind: string; readonly reason: string })[];
  /** Not begun, or not ended when the run was broken off. */
  readonly left: readonly ReportedPair[];
  /** What must not be copied as it is written, each with its place. */
  readonly faults: readonly string[];
}

interface ReportedPair {
  readonly source: string;
  readonly destination: string;
}

interface MirrorOutcome {
  readonly report: CopyReport;
  readonly done: ReadonlyMap<ImageCopy, CopiedImage>;
  readonly left: readonly ImageCopy[];
  readonly mappingOf: (image: ImageCopy) => Mapping;
  /** A source that does not exist is nothing to complain of. */
  readonly skipMissing: boolean;
  readonly unplanned: PlannedImages['unplanned'];
  readonly faults: PlannedImages['faults'];
}

/** Puts together what is to be said. */
export function createMirrorReport(outcome: MirrorOutcome): MirrorReport {
  const { report, done, left, mappingOf, skipMissing, unplanned, faults } = outcome;
  const pair = (image: ImageCopy): ReportedPair => pairOf(mappingOf(image));
  const all = [
    ...unplanned.map(({ mapping, ...why }) => ({ ...pairOf(mapping), ...why })),
    ...report.failures.map(({ image, kind, reason }) => ({
      ...pair(image),
      kind,
      reason,
      isMissing: skipMissing && kind === 'source-gone',
    })),
  ];
  const failures = all.filter(({ isMissing }) => !isMissing);
  const missing = all.length - failures.length;
  return {
    images: { ...report.images, missing, failed: failures.length + faults.length },
    blobs: report.blobs,
    foreignSkipped: report.foreignSkipped,
    bytes: report.bytes,
    seconds: report.seconds,
    done: [...done].map(([image, copied]) => ({ ...pair(image), ...copied })),
    failed: failures.map(({ isMissing: _isMissing, reason, ...rest }) => ({
      ...rest,
      reason: reasonText(reason),
    })),
    left: left.map(pair),
    faults,
  };
}

/** What is not where it should be. */
export type Undone = Pick<MirrorReport, 'failed' | 'left' | 'faults'>;

/** The mapping as a line of a mapping file has it. */
export function pairOf({ source, destination }: Mapping): ReportedPair {
  return { source: pullSpecText(source), destination: pullSpecText(destination) };
}

/** Whether everything is where it should be. */
export function isComplete({ failed, left, faults }: Undone): boolean {
  return failed.length === 0 && left.length === 0 && faults.length === 0;
}

/** Failed and unbegun images as a mapping file, with reasons in comments. Empty if all is well. */
export function failedMappings({ failed, left, faults }: Undone): string {
  const lines = faults.map((fault) => `# ${fault}\n`);
  const failures = failed.map(({ kind, reason, ...pair }) => `# ${kind}: ${reason}\n${line(pair)}`);
  const rest = left.length === 0 ? [] : ['# not copied because the run ended before\n', ...left.map(line)];
  return [...lines, ...failures, ...rest].join('');
}

/** The two lines of counters, one for skipped foreign layers, and the one with time and rate. */
export function countersText({ images, blobs, foreignSkipped, bytes, seconds }: MirrorReport): string {
  const { copied, unchanged, filtered, missing, failed } = images;
  const rate = decimalSize(bytes / Math.max(seconds, 0.001));
  return [
    `info: images: ${copied} copied, ${unchanged} up to date, ${filtered} filtered, ${missing} missing, ${failed} failed`,
    `info: blobs: ${blobs.copied} copied (${decimalSize(bytes)}), ${blobs.mounted} mounted, ${blobs.present} already there, ${blobs.failed} failed`,
    ...(foreignSkipped === 0 ? [] : [`info: foreign layers: ${foreignSkipped} skipped: ${whereForeign}`]),
    `info: Mirroring completed in ${durationText(seconds)} (${rate}/s)`,
    '',
  ].join('\n');
}

const whereForeign = 'clients fetch them from their own urls';

/** A reason without what only holds for who runs on: a command has tried as often as it does. */
export function reasonText(reason: string): string {
  return reason.replace(/\s+/g, ' ').replace(/: retrying later$/, '');
}

function line({ source, destination }: ReportedPair): string {
  return `${source} ${destination}\n`;
}

/** Why the system would not write it; undefined once it is written. */
export async function writeRefusal(file: string, lines: string): Promise<string | undefined> {
  try {
    await writeFile(file, lines);
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}
