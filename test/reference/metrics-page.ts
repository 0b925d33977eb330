/** The reference of the metrics: name, type and labels as registered, and what they mean. */
import { fieldsOf, listOf } from '../../src/base/text/json.ts';
import { mirrorMetrics } from '../../src/predecessors/outputs/mirror-metrics.ts';
import { createJoinedMetrics } from '../../src/telemetry/metrics/joined.ts';
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts';
import { createPruneMetrics } from '../../src/telemetry/metrics/prune.ts';
import { table } from '../../src/telemetry/metrics/table.ts';
import { notes } from './metric-notes.ts';
import { wrapped } from './wrapped.ts';

/** Parts of the page: which metrics, by the word after `quayside_`, and where more is written. */
const groups: readonly (readonly [title: string, names: RegExp, more: string])[] = [
  ['Requests', /^(requests?|sent|cache|idle)_/, 'Answers to clients on the pull port.'],
  [
    'Logins and rights',
    /^(access|tokens|cluster)_/,
    'Logins, and what clusters are asked: [login with a cluster](../cluster-login.md).',
  ],
  ['Image streams', /^stream_/, 'The index of image streams: [its states](../operating.md#image-streams).'],
  ['Downloads', /^(fills?|spool)_/, 'Downloads from upstreams, each shared by all who wait for it.'],
  [
    'Upstreams',
    /^(upstream|credential)_/,
    'Requests of Quayside to registries. `upstream` is the configured name.',
  ],
  [
    'The store',
    /^(store|s3|evictions|evicted|scrub|disk)_/,
    'What is kept: [eviction](../operating.md#eviction), [scrub](../operating.md#scrub), [S3](../operating.md#s3).',
  ],
  ['Sending', /^kernel_/, 'Whether the kernel sends files: [sizing](../operating.md#sizing).'],
  ['Fleet', /^fleet_/, 'Replicas that share one upstream link: [from one process to a fleet](../fleet.md).'],
  ['Workers', /^workers?($|_)/, 'Processes on one socket: [all cores of one machine](../workers.md).'],
  ['Mirror', /^(mirror|misses)_/, 'Copies between registries: [the mirror](../mirror.md).'],
  [
    'Prune',
    /^prune_/,
    'Served by `quayside prune --every --metrics HOST:PORT`, and by no server: [prune](../pruning.md).',
  ],
  [
    'The process',
    /^(condition|build|max|filesystem|certificate)_/,
    'Conditions, limits and disks: [conditions](../conditions.md).',
  ],
];

const head = `# Metrics

Made by \`npm run reference\` of the table in \`src/telemetry/metrics\`. A test compares this page
with it.

They are at \`/metrics\` on \`admin.listen\`, in the text format of Prometheus, without a login, beside
the usual ones of Node (\`nodejs_…\`, \`process_…\`). No label holds a repository, a tag or a user. A
counter has no line before its first event, but for those of what must never happen, which begin
with 0. [Alerts](../runbooks/README.md) and [dashboards](../../deploy/monitoring/dashboards) use
them.
`;

interface Shown {
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** The whole page. */
export async function metricsPage(): Promise<string> {
  const types = await typesOfOurs();
  const rows = Object.entries(table).map(([key, [name, help, labels]]) => {
    const note = notes[key as keyof typeof table];
    const meaning = note === undefined ? help : `${help} ${note}`;
    return [name, { type: types.get(name) ?? '', help: meaning, labels }] as const;
  });
  const parts = groups.map(([title, names, more]) => {
    const found = rows.filter(([name]) => names.test(name.slice('quayside_'.length)));
    return `## ${title}\n\n${wrapped(more, ' ')}\n\n${tableOf(found)}\n`;
  });
  const links = [...groups.map(([title]) => title), 'Names of ci-images-mirror'].map(
    (title) => `[${title}](#${title.toLowerCase().replaceAll(' ', '-')})`,
  );
  return [head, `${wrapped(links.join(' · '), ' · ')}\n`, ...parts, await predecessors()].join('\n');
}

/** Names of metrics that no part of the page shows, or more than one. */
export function misplaced(): readonly string[] {
  return Object.values(table)
    .map(([name]): string => name)
    .filter((name) => groups.filter(([, names]) => names.test(name.slice('quayside_'.length))).length !== 1);
}

async function typesOfOurs(): Promise<ReadonlyMap<string, string>> {
  const texts = [createMetrics(), createPruneMetrics(), createJoinedMetrics()].map((each) => each.text());
  const found = (await Promise.all(texts)).join('\n').matchAll(/^# TYPE (\S+) (\S+)$/gm);
  return new Map(Array.from(found, ([, name = '', type = '']) => [name, type]));
}

async function predecessors(): Promise<string> {
  const metrics = createMetrics();
  const own = new Set((await metrics.registry.getMetricsAsJSON()).map(({ name }) => name));
  mirrorMetrics(metrics);
  const all = await metrics.registry.getMetricsAsJSON();
  const rows = all
    .filter(({ name }) => !own.has(name))
    .map(({ name, help, type }) => {
      const labels = listOf(fieldsOf(metrics.registry.getSingleMetric(name))['labelNames']).map(String);
      return [name, { help, type: String(type), labels }] as const;
    });
  return `## Names of ci-images-mirror

What dashboards and alerts of that program read:
[its lines and names](../mirror.md#lines-that-operators-know).

${tableOf(rows)}
`;
}

function tableOf(rows: readonly (readonly [name: string, shown: Shown])[]): string {
  const cells = rows.map(([name, { type, help, labels }]) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return [['metric', 'type', 'labels', 'meaning'], Array(4).fill('---'), ...cells]
    .map((line) => `| ${line.join(' | ')} |`)
    .join('\n');
}
