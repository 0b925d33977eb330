import {
  type Condition,
  type ConditionEffect,
  type ConditionFinding,
  conditionText,
  longInertiaMs,
} from './condition.ts';

/** The conditions of the service itself, in the order in which they are shown. */
export const summaryTypes = ['Available', 'Progressing', 'Degraded'] as const;

export type SummaryType = (typeof summaryTypes)[number];

/** A part's condition that counts, and what it does. */
interface WeighedCondition {
  readonly condition: Condition;
  readonly effect: ConditionEffect;
}

/** `Available` of the parts: what is needed, then whether anything can serve. */
export function availableOf(parts: readonly WeighedCondition[]): ConditionFinding {
  const ending = bad(parts, ['needed', 'serves']);
  if (ending.length > 0) return joined('False', ending);
  const unknown = parts.find(
    ({ condition, effect }) => effect === 'serves' && condition.status === 'Unknown',
  );
  if (unknown !== undefined) {
    const { reason, message } = unknown.condition;
    return { status: 'Unknown', reason, message };
  }
  return bad(parts, ['degrades']).length === 0
    ? { status: 'True', reason: 'Ready', message: 'the registry is ready' }
    : {
        status: 'True',
        reason: 'MinimumAvailability',
        message: 'the registry serves, but not all of its parts work',
      };
}

/** `Progressing` of the parts: while it starts, and while settings wait for a restart. */
export function progressingOf(parts: readonly WeighedCondition[]): ConditionFinding {
  const pending = bad(parts, ['progresses']);
  if (pending.length > 0) return joined('True', pending);
  const isStarting = parts.some(
    ({ condition, effect }) => effect === 'serves' && condition.status === 'Unknown',
  );
  return isStarting
    ? { status: 'True', reason: 'Starting', message: 'the first checks have not ended' }
    : { status: 'False', reason: 'Ready', message: 'everything is ready' };
}

/**
 * `Degraded` of the parts, and of `Available` once that was false for 5 minutes. `at`: milliseconds
 * since the epoch.
 */
export function degradedOf(
  parts: readonly WeighedCondition[],
  available: Condition,
  at: number,
): ConditionFinding {
  const faults = bad(parts, ['degrades']);
  const { status, lastTransitionTime, message } = available;
  const isLong = status === 'False' && at - lastTransitionTime >= longInertiaMs;
  if (isLong && faults.length === 0)
    return { status: 'True', reason: 'Unavailable', message: `not available for 5 minutes: ${message}` };
  if (faults.length > 0) return joined('True', faults);
  return { status: 'False', reason: 'AsExpected', message: 'all parts work' };
}

function bad(parts: readonly WeighedCondition[], effects: readonly ConditionEffect[]): readonly Condition[] {
  return parts
    .filter(({ condition, effect }) => condition.status === 'False' && effects.includes(effect))
    .map(({ condition }) => condition);
}

/** Several as a ClusterOperator has them: `TypeOne_Reason::TypeTwo_Reason`. */
function joined(status: ConditionFinding['status'], causes: readonly Condition[]): ConditionFinding {
  const reasons = new Set(causes.map(({ type, reason }) => `${type}_${reason}`));
  const [only] = causes;
  return {
    status,
    reason: reasons.size === 1 && only !== undefined ? only.reason : [...reasons].join('::'),
    message: causes.map((cause) => `${conditionText(cause)}: ${cause.message}`).join('; '),
  };
}
