import { test } from 'tap';
import { stringify } from 'yaml';
import { load } from '../../src/config/load.ts';

const group = (name: string) => `\${${name}}`;
const match = String.raw`quay\.io/openshift/ci:(?<tag>.+)`;
const pre = { match, from: `quay.io/openshift/ci:${group('tag')}__pre` };

const misses = (sources: readonly object[], more: object = {}) =>
  load(stringify({ mirror: { misses: { sources, ...more } } }), {}).mirror?.misses;

function refusal(source: object, more: object = {}): string {
  try {
    misses([source], more);
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test('without sources misses are those of CI, and each rule stands in its order', (t) => {
  t.match(load('mirror: {}', {}).mirror?.misses.sources, [{ preset: 'openshift-ci' }]);
  const found = misses([{ preset: 'config-file' }, pre, { match: '.+', preset: 'history' }])?.sources;
  t.match(found, [{ preset: 'config-file' }, { from: pre.from }, { preset: 'history' }]);
  t.same(found?.[1]?.match?.match('quay.io/openshift/ci:a'), { tag: 'a' });
  t.end();
});

test('a source that would find nothing, or leave the registry to clients, is refused with its reason', (t) => {
  const rows: readonly (readonly [source: object, reason: RegExp])[] = [
    [{ match }, /sources\[0\]: must hold either from or preset/],
    [{ ...pre, preset: 'history' }, /must hold either from or preset/],
    [{ from: 'quay.io/a:b' }, /sources\[0\]\.match: is required/],
    [{ preset: 'history' }, /sources\[0\]\.match: is required/],
    [{ match, preset: 'history', copy: true }, /copy: has no effect/],
    [{ match, from: `quay.io/a:${group('other')}` }, /from: \$\{other\} is not a named group of match/],
    [{ match, from: `quay.io/${group('tag')}` }, /from: must end with a tag or a digest/],
    [{ match, from: 'elsewhere.example.com/a:b' }, /from: must begin with the host of one of the upstreams/],
    [{ match, from: `${group('tag')}/a:b` }, /from: must begin with the host of one of the upstreams/],
    [{ match: '(?=x)', from: 'quay.io/a:b' }, /is not a regular expression of RE2/],
  ];
  for (const [source, reason] of rows) t.match(refusal(source), reason, JSON.stringify(source));
  t.end();
});

test('a pull spec that no request makes valid is refused', (t) => {
  for (const from of [
    `quay.io/Team/app:${group('tag')}`,
    'quay.io/app:$tag',
    `quay.io/app@${group('tag')} `,
    `quay.io/app@sha256:${'a'.repeat(63)}`,
    'quay.io:v1',
    'quay.io/app:v1:v2',
    'quay.io//app:v1',
  ])
    t.match(refusal({ match, from }), /sources\[0\]\.from: is no pull spec/, from);
  for (const from of [
    `quay.io/${group('tag')}/app:v${group('tag')}-1`,
    `quay.io/app@${group('tag')}`,
    `quay.io/app@sha256:${group('tag')}`,
    `quay.io/app:v1@sha256:${'a'.repeat(64)}`,
  ])
    t.equal(refusal({ match, from }), 'accepted', from);
  t.end();
});

test('a name that pull specs do not take for a host is no host of a source', (t) => {
  const upstreams = { 'docker.io': {}, quay: { url: 'https://quay.example.com' } };
  const sources = [{ match: '.+', from: 'quay/app:v1' }];
  t.throws(() => load(stringify({ upstreams, mirror: { misses: { sources } } }), {}), /from: quay is/);
  t.end();
});

test('`queue` needs a source that is copied', (t) => {
  t.match(refusal(pre, { onMiss: 'queue' }), /onMiss is queue, and it copies nothing/);
  t.equal(refusal({ ...pre, copy: true }, { onMiss: 'queue' }), 'accepted');
  t.end();
});
