import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { alertCases, alertRules, seriesOf } from './rules.ts';
import { isForeign, labelsOf, unknownSeries } from './series.ts';

const root = join(import.meta.dirname, '../..');
const sections = ['Meaning', 'Impact', 'Check', 'Fix', 'Escalation'];

test('alerts read series that the program has, by labels that it gives them', async (t) => {
  for (const { alert, expr } of await alertRules()) t.same(unknownSeries(expr), [], alert);
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
      if (!isForeign(name)) t.same(Object.keys(labels), labelsOf.get(name), `${alert}: ${series}`);
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
      /^```sh example\n(?:quayside|kubectl|curl|oc) /m,
      `${annotations.runbook} has a command to check`,
    );
  }
  const found = (await readdir(join(root, 'docs/runbooks'))).filter((name) => name !== 'README.md');
  t.same(new Set(found), pages);
});
