import type { Verification } from '../../mirror/inspect/verify.ts';
import { failedMappings, type Undone } from '../mirror/report.ts';

/** A mapping, and what became of it. */
export interface VerifiedLine extends Verification {
  readonly source: string;
  readonly destination: string;
}

/** What a run found out. */
export interface VerifyReport {
  readonly lines: readonly VerifiedLine[];
  /** Not begun, or not ended when the run was broken off. */
  readonly left: Undone['left'];
  /** What cannot be meant as it is written, each with its place. */
  readonly faults: readonly string[];
}

/** A line names so many reasons. */
const namedReasons = 3;

export function lineText({ state, destination, digest, reasons }: VerifiedLine): string {
  if (state === 'ok') return `ok: ${destination} ${digest}\n`;
  const rest = reasons.length - namedReasons;
  const told = reasons.slice(0, namedReasons).join('; ');
  return `${state}: ${destination}: ${told}${rest > 0 ? `; and ${rest} more` : ''}\n`;
}

/** Whether everything is where it should be. */
export function isAllOk({ lines, left, faults }: VerifyReport): boolean {
  return left.length === 0 && faults.length === 0 && lines.every(isFine);
}

/** What is not ok as a mapping file, with reasons in comments. Empty if all is well. */
export function notOkMappings({ lines, left, faults }: VerifyReport): string {
  const failed = lines
    .filter((line) => !isFine(line))
    .map(({ source, destination, state, reasons }) => ({
      source,
      destination,
      kind: state,
      reason: reasons.slice(0, namedReasons).join('; '),
    }));
  return failedMappings({ failed, left, faults });
}

export function countersText(report: VerifyReport): string {
  const { ok, missing, differs, cannotTell, skipped } = counters(report);
  return `info: images: ${ok} ok, ${missing} missing, ${differs} differ, ${cannotTell} cannot be told, ${skipped} skipped\n`;
}

/** The document of a run. */
export function verifyDocument(report: VerifyReport): object {
  const { lines, left, faults } = report;
  return { images: counters(report), lines, left, faults };
}

function counters({ lines }: VerifyReport) {
  const count = (state: Verification['state']) => lines.filter((line) => line.state === state).length;
  return {
    ok: count('ok'),
    missing: count('missing'),
    differs: count('differs'),
    cannotTell: count('cannot tell'),
    skipped: count('skipped'),
  };
}

function isFine({ state }: VerifiedLine): boolean {
  return state === 'ok' || state === 'skipped';
}
