import { test } from 'tap';
import { coveringLogin } from '../../../src/migrate/rules/login-names.ts';
import { mappingRules } from '../../../src/migrate/rules/mapping-rules.ts';
import { parsePlaceRule } from '../../../src/migrate/rules/place-rules.ts';
import { createReferenceRules } from '../../../src/migrate/rules/rules.ts';
import { parseMappings } from '../../../src/mirror/batch/mapping.ts';

const app = { registry: 'old.test', name: 'team/app' };

test('the login with the longest name that an image is below is shown, as the kubelet does', async (t) => {
  t.equal(
    coveringLogin(['old.test', 'https://old.test/v1/team', 'old.test/team/ap'], app),
    'https://old.test/v1/team',
  );
  t.equal(coveringLogin(['old.test:443', 'new.test', ''], app), undefined);
  t.equal(coveringLogin(['*.test'], app), '*.test');
  t.equal(coveringLogin(['*.test', 'old.*'], { ...app, registry: 'a.old.test' }), undefined);
  t.equal(coveringLogin([''], { registry: 'docker.io', name: 'library/alpine' }), '');
});

const placesOf = (words: readonly string[], key: string) =>
  createReferenceRules(words.map(parsePlaceRule))
    .destinations(key)
    .map(({ registry, name }) => `${registry}/${name}`);

test('a login leads to where images below it go, by whole registries, prefixes and repositories', async (t) => {
  t.same(placesOf(['old.test/*=new.test/*'], 'old.test'), ['new.test/']);
  t.same(placesOf(['old.test/*=new.test/*'], 'old.test/team'), ['new.test/team']);
  t.same(placesOf(['*/team/*=new.test/people/*'], 'old.test'), ['new.test/people']);
  t.same(placesOf(['*/team/*=new.test/people/*'], 'old.test/team/app'), ['new.test/people/app']);
  t.same(placesOf(['*/team/*=new.test/people/*'], 'old.test/other'), []);
  t.same(placesOf(['old.test/team/app=*/ocp/cli'], 'old.test'), ['old.test/ocp/cli']);
  t.same(placesOf(['old.test/team/app=new.test/a'], 'c.test'), []);
});

test('a line for a tag leads there too', async (t) => {
  const mappings = parseMappings(['old.test/team/app:v1=new.test/mirror/app:v1', 'c.test/a:v1=d.test/a:v1']);
  const rules = createReferenceRules(mappingRules(mappings));
  t.same(rules.destinations('old.test'), [{ registry: 'new.test', name: 'mirror/app' }]);
  t.same(rules.destinations('old.test/team'), [{ registry: 'new.test', name: 'mirror/app' }]);
  t.same(rules.destinations('old.test/people'), []);
});
