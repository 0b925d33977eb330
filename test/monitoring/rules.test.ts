import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { table } from '../../src/telemetry/metrics/table.ts';
import { alertCases, alertRules, seriesOf } from './rules.ts';

const root = join(import.meta.dirname, '../..');
/** What others count, and the suffixes of a histogram. */
const foreign = new Set([
  'nodejs_eventloop_lag_p99_seconds',
  'quay_io_ci_images_distributor_image_mirroring_duration_seconds_count',
]);
const labelsOf = new Map<string, readonly string[]>(
  Object.values(table).map(([name, , labels]) => [name, labels]),
);
const sections = ['Meaning', 'Impact', 'Check', 'Fix', 'Escalation'];

test('alerts read series that the program has, by labels that it gives them', async (t) => {
  for (const { alert, expr } of await alertRules()) {
    const read = [...expr.matchAll(/\b((?:quayside|nodejs|quay_io)_\w+)(?:\{([^}]*)\})?/g)];
    t.not(read.length, 0, alert);
    for (const [, name = '', selector = ''] of read) {
      if (foreign.has(name)) continue;
      const labels = labelsOf.get(name);
      t.ok(labels, `${alert}: ${name}`);
      for (const [, label = ''] of selector.matchAll(/(\w+)=~?"/g))
        t.ok(labels?.includes(label), `${alert}: ${name}{${label}}`);
    }
  }
});

test('each alert has a case, of series as the program has them', async (t) => {
  const cases = await alertCases();
  t.same(
    Object.keys(cases),
    (await alertRules()).map(({ alert }) => alert),
  );
  for (const [alert, { fires, quiet }] of Object.entries(cases)) {
    for (const series of [...Object.keys(fires), ...Object.keys(quiet)]) {
      const { name, labels } = seriesOf(series);
      if (!foreign.has(name)) t.same(Object.keys(labels), labelsOf.get(name), `${alert}: ${series}`);
    }
  }
});

test('each condition has its alert', async (t) => {
  const text = (await alertRules()).map(({ expr }) => expr).join('\n');
  const page = await readFile(join(root, 'docs/conditions.md'), 'utf8');
  const parts = page.slice(0, page.indexOf('## Where they are'));
  const types = [...parts.matchAll(/^\| `([A-Z]\w+)`/gm)].map(([, type = '']) => type);
  t.ok(types.length > 15);
  for (const type of types) if (type !== 'Progressing') t.match(text, type, type);
});

test('each alert has a runbook in the form of an SOP, and each runbook an alert', async (t) => {
  const pages = new Set<string>();
  for (const { alert, annotations } of await alertRules()) {
    pages.add(annotations.runbook.replace('docs/runbooks/', ''));
    const markdown = await readFile(join(root, annotations.runbook), 'utf8');
    t.same(
      [...markdown.matchAll(/^## (.+)$/gm)].map(([, title]) => title),
      sections,
      annotations.runbook,
    );
    t.match(
      markdown.slice(0, markdown.indexOf('## Meaning')),
      alert,
      `${annotations.runbook} names ${alert}`,
    );
    t.match(
      markdown,
      /^```sh\n(?:quayside|kubectl|curl|oc) /m,
      `${annotations.runbook} has a command to check`,
    );
  }
  const found = (await readdir(join(root, 'docs/runbooks'))).filter((name) => name !== 'README.md');
  t.same(new Set(found), pages);
});
