import { type Condition, type ConditionFinding, type PartCondition, usualInertiaMs } from './condition.ts';

/** A point in time by two clocks. */
export interface Moment {
  /** Milliseconds since some point in time; never goes back. */
  readonly now: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A condition, and what does not count yet. */
export interface Settling {
  readonly settled: Condition;
  readonly pending?: ConditionFinding & { readonly since: Moment };
}

/**
 * How long a status must last: what is not told never counts at once, as no one answered. `usualMs`
 * takes the place of 2 minutes, and the other times keep their ratio to it.
 */
export function inertiaOf(
  { status }: ConditionFinding,
  inertiaMs: number,
  usualMs: number = usualInertiaMs,
): number {
  const wholeMs = status === 'Unknown' ? Math.max(inertiaMs, usualInertiaMs) : inertiaMs;
  return wholeMs * (usualMs / usualInertiaMs);
}

/**
 * The state after a finding. `True` counts at once. Anything else counts once nothing was `True`
 * for `inertiaMs`; until then it is pending, also while it alternates between the other two.
 */
export function settledBy(
  before: Settling,
  found: ConditionFinding,
  inertiaMs: number,
  moment: Moment,
): Settling {
  const { settled, pending } = before;
  const { status, reason, message } = found;
  if (status === settled.status) return { settled: { ...settled, reason, message } };
  const since = pending?.since ?? moment;
  const counts = status === 'True' || moment.now - since.now >= inertiaMs;
  if (!counts) return { settled, pending: { status, reason, message, since } };
  return { settled: { ...settled, status, reason, message, lastTransitionTime: moment.at } };
}

/** The same as it is shown. */
export function partCondition(
  { settled, pending }: Settling,
  inertiaMs: number,
  usualMs?: number,
): PartCondition {
  if (pending === undefined) return settled;
  const { since, ...found } = pending;
  return {
    ...settled,
    pending: { ...found, since: since.at, countsAt: since.at + inertiaOf(found, inertiaMs, usualMs) },
  };
}
