import type { DrillOutcome, DrillResult } from '../drill.ts';
import { drills } from '../table/table.ts';
import { undrilledAlerts } from '../table/undrilled.ts';
import { mostStalledMs, seconds } from './judge.ts';

/** Whether all drills were played, or skipped, and each that was kept its bars. */
export function isPassed({ outcomes, isInterrupted }: DrillResult): boolean {
  if (isInterrupted) return false;
  const isPlayed = outcomes.some(({ skipped }) => skipped === undefined);
  return isPlayed && outcomes.every(({ objections }) => objections.length === 0);
}

function verdictOf(played: number, missed: number): string {
  if (played === 0) return 'nothing was played';
  return missed === 0 ? 'passed' : `${missed} of ${played} drills missed a bar`;
}

/** One page in Markdown: what was played, what it cost, and what missed its bar. */
export function drillPage(result: DrillResult): string {
  const { outcomes, startedAt, tookMs, form, machine, fleet, limits } = result;
  const played = outcomes.filter(({ skipped }) => skipped === undefined);
  const missed = played.filter(({ objections }) => objections.length > 0);
  const pulls = played.reduce((sum, outcome) => sum + outcome.pulls, 0);
  return `${[
    `# Drill: ${result.isInterrupted ? 'interrupted, until then ' : ''}${verdictOf(played.length, missed.length)}`,
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC, the ${form} form, ${Math.round(tookMs / 1000)} s. ${fleet}. ${machine}.`,
    `${played.length} drills, ${pulls} pulls of whole images, every byte checked.`,
    ...stallLines(played),
    ...limits.map((limit) => `Left out: ${limit}.`),
    table(played),
    ...besideTable(played),
    ...(missed.length === 0 ? [] : [`## Missed\n\n${missed.flatMap(missedLines).join('\n')}`]),
    ...alertLines(result),
    ...skippedLines(outcomes),
  ].join('\n\n')}\n`;
}

function stallLines(outcomes: readonly DrillOutcome[]): readonly string[] {
  const longest = Math.max(0, ...outcomes.map(({ stalledMs }) => stalledMs));
  if (longest <= mostStalledMs) return [];
  const count = outcomes.filter(({ stalledMs }) => stalledMs > mostStalledMs).length;
  return [
    `**The machine was busy**: the process of the drill, with clients and fronts, stood still for up to ${seconds(longest)}, for more than ${seconds(mostStalledMs)} in ${count} drills. Times of these are not the fleet's, and not judged: play them again on a quiet machine.`,
  ];
}

const columns = [
  'drill',
  'met',
  'pulls',
  'failed',
  'excused',
  'wrong',
  'warm before',
  'during',
  'noticed',
  'well after',
  'tasks lost',
  '',
] as const;

function table(outcomes: readonly DrillOutcome[]): string {
  const rows = outcomes.map((outcome) => `| ${cellsOf(outcome).join(' | ')} |`);
  return [`| ${columns.join(' | ')} |`, `|${columns.map(() => '---|').join('')}`, ...rows].join('\n');
}

function cellsOf(outcome: DrillOutcome): readonly string[] {
  const { name, pulls, failedOwn, failedExcused, wrongDelivered, wrongStored, warmMs, mirror } = outcome;
  return [
    name,
    `${outcome.met ?? '-'}`,
    `${pulls}`,
    `${failedOwn}`,
    `${failedExcused}`,
    `${wrongDelivered.length + wrongStored}`,
    seconds(warmMs.before),
    seconds(warmMs.during),
    noticedText(outcome),
    wellText(outcome.wellMs),
    `${mirror.lost} of ${mirror.ordered}`,
    outcome.objections.length === 0 ? 'passed' : 'missed',
  ];
}

/** The other cache, where it took part. */
function besideTable(outcomes: readonly DrillOutcome[]): readonly string[] {
  const rows = outcomes.flatMap(({ name, beside, failedOwn, wellMs }) =>
    beside === undefined
      ? []
      : `| ${name} | ${failedOwn} | ${beside.failed} | ${wellText(wellMs)} | ${wellText(beside.wellMs)} | ${beside.wrongDelivered} |`,
  );
  const head =
    '| drill | failed here | there | well here after | there | wrong bytes there |\n|---|---|---|---|---|---|';
  return rows.length === 0 ? [] : [`## Distribution beside us\n\n${[head, ...rows].join('\n')}`];
}

function wellText(ms: number | undefined): string {
  return ms === undefined ? 'never' : seconds(ms);
}

/** The first three, the earliest first. */
function noticedText({ noticed }: DrillOutcome): string {
  const names = Object.entries(noticed).toSorted(([, left], [, right]) => left - right);
  return (
    names
      .slice(0, 3)
      .map(([name, ms]) => `${name} ${seconds(ms)}`)
      .join(', ') || '-'
  );
}

function missedLines({ name, objections }: DrillOutcome): readonly string[] {
  return objections.map((objection) => `- ${name}: ${objection}`);
}

function skippedLines(outcomes: readonly DrillOutcome[]): readonly string[] {
  const skipped = outcomes.flatMap(({ name, skipped: why }) =>
    why === undefined ? [] : [`- ${name}: ${why}`],
  );
  return skipped.length === 0 ? [] : [`## Not played\n\n${skipped.join('\n')}`];
}

/** Which alerts fired in no drill, and why. */
function alertLines({ alerts, outcomes }: DrillResult): readonly string[] {
  if (alerts === undefined) return [];
  const fired = new Set(outcomes.flatMap(({ noticed }) => Object.keys(noticed)));
  const silent = alerts.filter((alert) => !fired.has(alert));
  const lines = silent.map((alert) => `- ${alert}: ${silenceOf(alert, outcomes)}`);
  const count = `${alerts.length - silent.length} of the ${alerts.length} alerts that are shipped fired.`;
  return [['## Alerts', '', count, ...(lines.length === 0 ? [] : ['', ...lines])].join('\n')];
}

function silenceOf(alert: string, outcomes: readonly DrillOutcome[]): string {
  const played = new Set(outcomes.flatMap(({ name, skipped }) => (skipped === undefined ? name : [])));
  const its = drills.filter(({ alerts }) => alerts.includes(alert)).map(({ name }) => name);
  if (its.length === 0) return undrilledAlerts[alert] ?? 'it has no drill';
  const unplayed = its.filter((name) => !played.has(name));
  return unplayed.length === its.length ? `not played: ${its.join(', ')}` : `not in ${its.join(', ')}`;
}
