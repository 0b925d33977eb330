import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { misplaced } from './metrics-page.ts';
import { referencePages } from './pages.ts';
import { commentsOfSettings, settingsOf, typeOf } from './settings-page.ts';

test('the pages of the reference are those of the sources: npm run reference', async (t) => {
  for (const [path, text] of await referencePages())
    t.same((await readFile(path, 'utf8')).split('\n'), text.split('\n'), path);
});

test('every setting has a comment in the schema', (t) => {
  const comments = commentsOfSettings();
  const settings = settingsOf().map(({ path }) => path);
  t.ok(settings.length > 200);
  t.same(
    settings.filter((path) => comments.get(path) === undefined),
    [],
    'write what it means, with unit, default and the reason to change it, above it in src/config/schema',
  );
  t.same(
    [...comments.keys()].filter((path) => !settings.includes(path)),
    [],
    'a comment is of a setting',
  );
  t.end();
});

test('the schema says the type of every setting', (t) => {
  const untyped = settingsOf().filter(({ schema, isSection }) => !isSection && /^$|: $/.test(typeOf(schema)));
  t.same(
    untyped.map(({ path }) => path),
    [],
    'give its leaf a description',
  );
  t.end();
});

test('every metric has one place on its page', (t) => {
  t.same(misplaced(), [], 'name its first word in `groups` of metrics-page.ts');
  t.end();
});
