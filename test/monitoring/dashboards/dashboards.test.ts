import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { unknownSeries } from '../series.ts';
import { dashboardFiles } from './files.ts';
import { expressionsOf } from './grafana.ts';
import { dashboards } from './panels.ts';

test('the files are those of the table: npm run dashboards', async (t) => {
  for (const [path, text] of dashboardFiles()) t.equal(await readFile(path, 'utf8'), text, path);
});

test('panels ask for series that the program has, by labels that it gives them', async (t) => {
  for (const { name, rows } of dashboards)
    for (const panel of Object.values(rows).flat())
      t.same(expressionsOf(panel).flatMap(unknownSeries), [], `${name}: ${panel.title}`);
});
