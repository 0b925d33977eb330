import type { DrillOutcome, DrillPull } from '../drill.ts';
import type { Drill } from '../table/table.ts';

/** Since the beginning of the drill, milliseconds. */
export interface FaultTimes {
  readonly beganMs: number;
  readonly endedMs: number;
}

/** From the end of a fault until all is well. */
const mostWellMs = 10_000;

/** Whose failures the pulls are. */
export function failuresOf(
  { excuses = 'none' }: Pick<Drill, 'excuses'>,
  pulls: readonly DrillPull[],
  { beganMs, endedMs }: FaultTimes,
): { readonly own: readonly DrillPull[]; readonly excused: readonly DrillPull[] } {
  const failed = pulls.filter(({ error }) => error !== undefined);
  // Begun while the fault lasted, or within the time that recovery may take.
  const isExcused = ({ isWarm, atMs, tookMs }: DrillPull): boolean =>
    (excuses === 'all' || (excuses === 'cold' && !isWarm)) &&
    atMs + tookMs >= beganMs &&
    atMs <= endedMs + mostWellMs;
  return { own: failed.filter((pull) => !isExcused(pull)), excused: failed.filter(isExcused) };
}

/** The slowest warm pulls that ended well: begun before the fault, and while it lasted. */
export function warmTimes(
  pulls: readonly DrillPull[],
  { beganMs, endedMs }: FaultTimes,
): DrillOutcome['warmMs'] {
  const longest = (some: readonly DrillPull[]): number =>
    Math.round(Math.max(0, ...some.map(({ tookMs }) => tookMs)));
  const warm = pulls.filter(({ isWarm, error }) => isWarm && error === undefined);
  return {
    before: longest(warm.filter(({ atMs, tookMs }) => atMs + tookMs < beganMs)),
    during: longest(warm.filter(({ atMs }) => atMs >= beganMs && atMs <= endedMs)),
  };
}

/** What is judged beside the table. */
export interface JudgedForm {
  /** Whether faults last long enough for conditions, and whether Prometheus runs. */
  readonly awaitsConditions: boolean;
  readonly awaitsAlerts: boolean;
}

/**
 * Longest stand-still of the drill's own process under which times are the fleet's, milliseconds.
 * Beyond it they are not judged: clients, fronts and the registry are in that process.
 */
export const mostStalledMs = 500;

/** The bars that an outcome missed. */
export function objectionsTo(
  drill: Pick<Drill, 'conditions' | 'alerts' | 'mostWarmMs'>,
  outcome: Omit<DrillOutcome, 'objections'>,
  { awaitsConditions, awaitsAlerts }: JudgedForm,
): readonly string[] {
  const { failedOwn, wrongDelivered, wrongStored, wellMs, warmMs, mirror, noticed, errors } = outcome;
  const wanted = [...(awaitsConditions ? drill.conditions : []), ...(awaitsAlerts ? drill.alerts : [])];
  const unseen = wanted.filter((name) => noticed[name] === undefined);
  const isTimed = outcome.stalledMs <= mostStalledMs;
  const costMs = warmMs.during - warmMs.before;
  return [
    ...(outcome.met === 0 ? ['nothing met the fault: it proves nothing'] : []),
    ...(failedOwn > 0 ? [`${failedOwn} pulls failed for the cache's own sake: ${errors[0]}`] : []),
    ...(wrongDelivered.length > 0
      ? [`${wrongDelivered.length} contents came with wrong bytes: ${wrongDelivered[0]}`]
      : []),
    ...(wrongStored > 0 ? [`${wrongStored} blobs were stored with wrong bytes`] : []),
    ...(wellMs === undefined ? [`it was not well again within a minute (${outcome.unwell})`] : []),
    ...(isTimed && wellMs !== undefined && wellMs > mostWellMs
      ? [`it was well only after ${seconds(wellMs)} (${outcome.unwell})`]
      : []),
    ...(isTimed && drill.mostWarmMs !== undefined && costMs > drill.mostWarmMs
      ? [`a warm pull took ${seconds(warmMs.during)}, before the fault ${seconds(warmMs.before)}`]
      : []),
    ...(mirror.lost > 0 ? [`${mirror.lost} of ${mirror.ordered} tasks of the mirror were lost`] : []),
    ...unseen.map((name) => `${name} did not notice`),
  ];
}

/** `1.5 s` */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
