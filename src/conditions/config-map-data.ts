import { field, isText, jsonOrNone, listOf } from '../base/text/json.ts';
import type { ConditionStatus } from './condition.ts';
import { type SummaryType, summaryTypes } from './summary.ts';

/** What a ConfigMap holds. */
export type ConfigMapData = Readonly<Record<string, string>>;

/** What one replica writes, in JSON. */
export interface ReplicaEntry {
  /** ISO 8601. */
  readonly writtenAt: string;
  /** ISO 8601; once it stopped. */
  readonly stoppedAt?: string;
}

const entryPrefix = 'replica.';
/** A replica that lives writes every 5 minutes. */
const staleMs = 15 * 60_000;

/** An API server refuses more than 1 MiB. Conditions are ASCII. */
const mostCharacters = 900 * 1024;

/**
 * The data with this replica's entry, without its parts where there is no room for them. Entries of
 * replicas that stopped or write no more are dropped, unless no other is left: a service of one
 * replica that restarts has no gap. The keys `Available`, `Progressing` and `Degraded` sum up what
 * is left. `now`: milliseconds since the epoch.
 */
export function mergedData(
  held: ConfigMapData,
  replica: string,
  entry: ReplicaEntry,
  now: number,
): ConfigMapData {
  const own = `${entryPrefix}${replica.replace(/[^-._a-zA-Z0-9]/g, '_').slice(0, 200)}`;
  const all = Object.entries({ ...held, [own]: JSON.stringify(entry, undefined, 2) });
  const others = all.filter(([key]) => !key.startsWith(entryPrefix) && !isSummary(key));
  const entries = all.filter(([key]) => key.startsWith(entryPrefix));
  const alive = entries.filter(([, text]) => isAlive(jsonOrNone(text), now));
  const whole = alive.length > 0 ? alive : entries.filter(([key]) => key === own);
  const isFull = [...others, ...whole].reduce((sum, [, text]) => sum + text.length, 0) > mostCharacters;
  const brief = JSON.stringify({ ...entry, parts: [] }, undefined, 2);
  const kept = isFull ? whole.map(([key, text]) => [key, key === own ? brief : text] as const) : whole;
  return Object.fromEntries([...summaryOf(kept.map(([, text]) => jsonOrNone(text))), ...others, ...kept]);
}

function isSummary(key: string): boolean {
  return summaryTypes.some((type) => type === key);
}

function isAlive(entry: unknown, now: number): boolean {
  const writtenAt = field(entry, 'writtenAt');
  return (
    isText(writtenAt) &&
    // One from the future would never be dropped.
    Math.abs(now - Date.parse(writtenAt)) < staleMs &&
    field(entry, 'stoppedAt') === undefined
  );
}

/** `Available` if any replica is; `Progressing` and `Degraded` likewise. */
function summaryOf(entries: readonly unknown[]): readonly (readonly [SummaryType, ConditionStatus])[] {
  return summaryTypes.map((type) => {
    const statuses = entries.map((entry) => statusIn(entry, type));
    if (statuses.includes('True')) return [type, 'True'];
    return [type, statuses.length > 0 && statuses.every((each) => each === 'False') ? 'False' : 'Unknown'];
  });
}

function statusIn(entry: unknown, type: SummaryType): unknown {
  return field(
    listOf(field(entry, 'conditions')).find((condition) => field(condition, 'type') === type),
    'status',
  );
}
