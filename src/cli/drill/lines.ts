import type { DrillOutcome } from '../../drill/drill.ts';
import type { Drill } from '../../drill/table/table.ts';

/** The drills as a table: name, whether it is in the short form, and what is done. */
export function listText(drills: readonly Drill[]): string {
  const width = Math.max(0, ...drills.map(({ name }) => name.length));
  return drills
    .map(({ name, isShort, fault }) => `${name.padEnd(width)}  ${isShort ? 'short' : '     '}  ${fault}\n`)
    .join('');
}

/** How one drill went, as a line, and what it missed below. */
export function outcomeLine({ name, skipped, pulls, failedOwn, wellMs, objections }: DrillOutcome): string {
  if (skipped !== undefined) return `${name}: not played: ${skipped}\n`;
  const well = wellMs === undefined ? 'never' : `${(wellMs / 1000).toFixed(1)} s`;
  const missed = objections.map((objection) => `  missed: ${objection}\n`).join('');
  return `${name}: ${pulls} pulls, ${failedOwn} failed, well after ${well}\n${missed}`;
}
