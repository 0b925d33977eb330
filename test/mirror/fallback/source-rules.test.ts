import { test } from 'tap';
import { Expression } from '../../../src/base/text/expression.ts';
import { createMissPlaces, mayFill, type SourceRule } from '../../../src/mirror/fallback/source-rules.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag, type Reference } from '../../../src/oci/reference.ts';

const digest = digestOf(Buffer.from('content'));
const group = (name: string) => `\${${name}}`;
const presets = { 'openshift-ci': () => undefined, 'config-file': () => undefined };

function placesOf(rules: readonly SourceRule[], reference: Reference, repository = 'team/app') {
  const place = { upstream: 'quay.io', repository: parseRepository(repository) };
  return createMissPlaces(rules, presets)(place, reference).map((found) =>
    found.kind === 'image' ? found.source.text : found.kind,
  );
}

const rule = (match: string, from: string): SourceRule => ({ match: Expression.whole(match), from });
const tagged = { tag: parseTag('v1') };

test('a rule is for what the whole of its expression fits, and fills its groups in', (t) => {
  const rules = [
    rule(
      '(?<host>[^/]+)/(?<name>.+):(?<tag>.+)',
      `docker.io/${group('host')}/${group('name')}:${group('tag')}`,
    ),
    rule(String.raw`quay\.io/team`, 'docker.io/never/this:v1'),
    rule(String.raw`quay\.io/team/.*:v1`, `gcr.io/fixed@${digest}`),
  ];
  t.same(placesOf(rules, tagged), ['docker.io/quay.io/team/app:v1', `gcr.io/fixed@${digest}`]);
  t.same(placesOf(rules, { digest }), [`docker.io/quay.io/team/app@sha256:${digest.slice(7)}`]);
  t.end();
});

test('what was asked for itself, an unmatched group and no valid pull spec are no places', (t) => {
  const own = rule('(?<all>.+)', group('all'));
  const optional = rule('(?:(?<never>x)|.*)', `gcr.io/a:${group('never')}`);
  const invalid = rule('.*/(?<name>.+):.*', `gcr.io/A/${group('name')}:v1`);
  t.same(placesOf([own, optional, invalid], tagged), []);
  t.same(placesOf([rule('.*', 'quay.io/team/app:v2')], tagged), ['quay.io/team/app:v2']);
  t.same(placesOf([rule('.*', 'quay.io/team/app:v2')], { digest }), [], 'it has the same digests');
  t.end();
});

test('history is a place of tags alone, where its expression fits', (t) => {
  const history: SourceRule = { match: Expression.whole('quay.io/team/.+'), preset: 'history' };
  t.same(placesOf([history], tagged), ['history']);
  t.same(placesOf([history], { digest }), []);
  t.same(placesOf([history], tagged, 'other/app'), []);
  t.end();
});

test('rules fill the upstreams whose host they begin with, or all', (t) => {
  const fills = (rules: readonly SourceRule[]) =>
    ['quay.io', 'docker.io', 'localhost:5000'].filter((name) => mayFill(rules, name));
  const from = 'gcr.io/a:b';
  t.same(fills([{ preset: 'openshift-ci' }]), ['quay.io']);
  t.same(fills([rule(String.raw`docker\.io/library/.+`, from)]), ['docker.io']);
  t.same(fills([rule('localhost:5000/.+', from)]), ['localhost:5000']);
  t.same(fills([]), []);
  for (const any of ['.+', String.raw`(quay|docker)\.io/x:y`, String.raw`docker\.io/a:.*|quay\.io/b:.*`])
    t.equal(fills([rule(any, from)]).length, 3, any);
  t.end();
});
