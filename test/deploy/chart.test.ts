import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { Errors } from 'typebox/schema';
import { allCases, chart, digestOf, kustomization, mergedValues, output } from './cases.ts';
import { chartFiles } from './chart-files.ts';
import { valuesSchema } from './values-schema.ts';

test('the generated files of the chart are those of the sources: npm run chart', async (t) => {
  for (const [path, text] of Object.entries(chartFiles()))
    t.equal(await readFile(join(chart, path), 'utf8'), text, path);
});

test('there is rendered output of every case, and of no other', async (t) => {
  t.same(new Set(await readdir(output)), new Set(allCases.map(({ name }) => name)));
  t.same(new Set(await readdir(join(chart, 'cases'))), new Set(allCases.map(({ name }) => `${name}.yaml`)));
});

for (const one of allCases) {
  test(`the output of ${one.name} is what the chart as it is makes: npm run chart`, async (t) => {
    const folder = join(output, one.name);
    const text = await readFile(join(folder, kustomization), 'utf8');
    t.match(text, `# chart: ${await digestOf(chart, ['values.schema.json'])}\n`, 'the chart changed since');
    t.match(text, `# output: ${await digestOf(folder, [kustomization])}\n`, 'the output was changed by hand');
    for (const name of await readdir(folder))
      if (name !== kustomization) t.ok(text.includes(`  - ${name}\n`), `${name} is applied too`);
  });

  test(`the values of ${one.name} fit the schema`, async (t) => {
    const [, errors] = Errors(valuesSchema(), await mergedValues(one));
    t.same(errors, []);
  });
}

test('the schema refuses what is no value and no setting', async (t) => {
  const refused = (values: object) => Errors(valuesSchema(), values)[1].length > 0;
  t.ok(refused({ imagee: {} }));
  t.ok(refused({ settings: { upstream: {} } }));
  t.ok(refused({ settings: { hosts: { '*': { auth: 'cluter' } } } }));
  t.ok(refused({ mounts: { s3: { secret: 'a', configMap: 'b' } } }));
  t.ok(refused({ mounts: { config: { secret: 'a' } } }), 'the chart has a volume of that name');
  t.ok(refused({ mounts: { s3: { secret: 'a', path: '/etc/s3/' } } }));
  for (const name of ['Upper', '1st', 'with.dot', 'a'.repeat(54)])
    t.ok(refused({ nameOverride: name }), name);
  t.ok(refused({ prune: { target: ['quay.io/a/b'] } }));
  t.notOk(
    refused({ settings: { mirror: null, upstreams: { 'quay.io': null } }, mounts: { s3: null } }),
    'taken away',
  );
  t.notOk(refused({ settings: { fleet: { listen: '0.0.0.0:9402' } } }), 'the chart knows the rest');
  t.notOk(refused({ settings: { upstreams: { 'quay.io': {} } } }));
});
