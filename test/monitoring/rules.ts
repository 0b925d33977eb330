import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

/** One alert of the rule file. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook: string };
}

/** Series with their values, in promtool's notation. */
type SeriesValues = Readonly<Record<string, string>>;

/** When an alert fires, and when not. */
export interface AlertCase {
  readonly fires: SeriesValues;
  /** Minutes. */
  readonly at: number;
  readonly quiet: SeriesValues;
  /** The labels that the alert keeps of the first series and its target. Default: all. */
  readonly keeps?: readonly string[];
}

const root = join(import.meta.dirname, '../..');
export const rulesFile = join(root, 'deploy/monitoring/rules.yaml');

/** What Prometheus adds to each series of a pod. */
const target = { namespace: 'quayside', job: 'quayside', pod: 'quayside-0' };

interface RuleGroup {
  readonly name: string;
  readonly rules: readonly AlertRule[];
}

/** The groups that are shipped, in their order. */
export async function ruleGroups(): Promise<readonly RuleGroup[]> {
  return (parse(await readFile(rulesFile, 'utf8')) as { readonly groups: readonly RuleGroup[] }).groups;
}

/** The alerts that are shipped, in their order. */
export async function alertRules(): Promise<readonly AlertRule[]> {
  return (await ruleGroups()).flatMap(({ rules }) => rules);
}

/** The case of each alert, by its name. */
export async function alertCases(): Promise<Readonly<Record<string, AlertCase>>> {
  return parse(await readFile(join(import.meta.dirname, 'cases.yaml'), 'utf8')) as Record<string, AlertCase>;
}

/** A series as its name and its labels. */
export function seriesOf(text: string): {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
} {
  const [, name = '', inner = ''] = /^([a-z0-9_]+)(?:\{(.*)\})?$/.exec(text) ?? [];
  const labels = [...inner.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value]);
  return { name, labels: Object.fromEntries(labels) };
}

/** Cases that take longer have a file of their own, in minutes. */
const longCase = 120;

/**
 * The groups in pieces for `promtool test rules`, which tries each case on all rules of a file, at
 * each interval: small files, and few looks in cases of many hours, take a fraction of the time.
 */
export function testedPieces(
  groups: readonly RuleGroup[],
  cases: Readonly<Record<string, AlertCase>>,
): readonly (RuleGroup & { readonly interval: string })[] {
  const isLong = ({ alert }: AlertRule): boolean => (cases[alert]?.at ?? 0) > longCase;
  return groups.flatMap(({ name, rules }) => [
    { name, rules: rules.filter((rule) => !isLong(rule)), interval: '1m' },
    ...rules.filter(isLong).map((rule) => ({ name: rule.alert, rules: [rule], interval: '10m' })),
  ]);
}

/** The cases of a piece, whose rules are in `file`, as a file for `promtool test rules`. */
export function promtoolTests(
  file: string,
  { rules, interval }: { readonly rules: readonly AlertRule[]; readonly interval: string },
  cases: Readonly<Record<string, AlertCase>>,
): Readonly<Record<string, unknown>> {
  const tests = rules.flatMap((rule) => {
    const one = cases[rule.alert];
    return one === undefined ? [] : [played(rule, one, one.fires, true), played(rule, one, one.quiet, false)];
  });
  return { rule_files: [file], evaluation_interval: interval, tests };
}

function played(
  { alert, labels, annotations }: AlertRule,
  one: AlertCase,
  values: SeriesValues,
  fires: boolean,
) {
  const [first = ''] = Object.keys(one.fires);
  const all: Readonly<Record<string, string>> = { ...seriesOf(first).labels, ...target };
  const keeps = one.keeps ?? Object.keys(all);
  const kept = Object.fromEntries(
    Object.entries(all).filter(([name, value]) => keeps.includes(name) && value !== ''),
  );
  const filled = Object.fromEntries(
    Object.entries(annotations).map(([name, text]) => [name, withLabels(text, kept)]),
  );
  return {
    interval: '1m',
    name: `${alert} ${fires ? 'fires' : 'is quiet'}`,
    input_series: Object.entries(values).map(([series, value]) => ({
      series: scraped(series),
      values: value,
    })),
    alert_rule_test: [
      {
        eval_time: `${one.at}m`,
        alertname: alert,
        exp_alerts: fires ? [{ exp_labels: { ...kept, ...labels }, exp_annotations: filled }] : [],
      },
    ],
  };
}

function scraped(series: string): string {
  const { name, labels } = seriesOf(series);
  const all = Object.entries({ ...labels, ...target }).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${all.join(',')}}`;
}

function withLabels(text: string, labels: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? '');
}
