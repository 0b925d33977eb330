import { field, fieldsOf, listOf } from '../base/text/json.ts';
import {
  type Condition,
  type ConditionReport,
  conditionText,
  isCondition,
  isFinding,
  type PartCondition,
} from './condition.ts';

/** A report in JSON, its times in ISO 8601. */
export function reportJson(report: ConditionReport): object {
  return {
    conditions: report.conditions.map(conditionJson),
    parts: report.parts.map(conditionJson),
  };
}

/** One condition in JSON. */
function conditionJson({ lastTransitionTime, ...condition }: PartCondition): object {
  const { pending, ...counted } = condition;
  return {
    ...counted,
    lastTransitionTime: timeText(lastTransitionTime),
    ...(pending === undefined
      ? {}
      : { pending: { ...pending, since: timeText(pending.since), countsAt: timeText(pending.countsAt) } }),
  };
}

/** A report as a table for people: a line for each condition, one below for what is pending. */
export function reportText({ conditions, parts }: ConditionReport): string {
  const width = Math.max(0, ...[...conditions, ...parts].map((each) => conditionText(each).length));
  const line = (each: Condition): string =>
    `${conditionText(each).padEnd(width)}  ${each.status.padEnd(7)}  ${timeText(each.lastTransitionTime)}  ${each.reason}: ${each.message}\n`;
  const waiting = ({ pending }: PartCondition): string =>
    pending === undefined
      ? ''
      : `${''.padEnd(width)}  ${pending.status} since ${timeText(pending.since)}, counts at ${timeText(pending.countsAt)}  ${pending.reason}: ${pending.message}\n`;
  return `${conditions.map(line).join('')}\n${parts.map((each) => line(each) + waiting(each)).join('')}`;
}

/** ISO 8601 in UTC, to the second. */
function timeText(at: number): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** The report that `reportJson` made; undefined for anything else. */
export function parseReport(document: unknown): ConditionReport | undefined {
  const conditions = listOf(field(document, 'conditions')).map(parsedCondition);
  const parts = listOf(field(document, 'parts')).map(parsedCondition);
  const all = [...conditions, ...parts];
  if (conditions.length === 0 || all.includes(undefined)) return undefined;
  const isThere = (each: PartCondition | undefined): each is PartCondition => each !== undefined;
  return { conditions: conditions.filter(isThere), parts: parts.filter(isThere) };
}

function parsedCondition(value: unknown): PartCondition | undefined {
  const { lastTransitionTime, pending, ...fields } = fieldsOf(value);
  const condition = { ...fields, lastTransitionTime: timeIn(lastTransitionTime) };
  if (!isCondition(condition)) return undefined;
  const { since, countsAt, ...found } = fieldsOf(pending);
  const times = { since: timeIn(since), countsAt: timeIn(countsAt) };
  return isFinding(found) ? { ...condition, pending: { ...found, ...times } } : condition;
}

function timeIn(text: unknown): number {
  return typeof text === 'string' ? Date.parse(text) : Number.NaN;
}
