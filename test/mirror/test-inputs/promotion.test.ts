import { test } from 'tap';
import { promotedTags } from '../../../src/mirror/test-inputs/promotion.ts';

const images = [{ to: 'cli' }, { to: 'tests' }, { to: 'rare', optional: true }];
const ocp = { namespace: 'ocp', name: '4.20' };

test('each image is a tag of a named stream, or a stream of the named tag', (t) => {
  t.same(promotedTags({ images, promotion: { to: [ocp, { namespace: 'ci', tag: 'latest' }] } }), [
    'ocp/4.20:cli',
    'ocp/4.20:tests',
    'ci/cli:latest',
    'ci/tests:latest',
  ]);
  t.end();
});

test('a name counts before a tag', (t) => {
  t.same(promotedTags({ images: [{ to: 'a' }], promotion: { to: [{ ...ocp, tag: 'x' }] } }), ['ocp/4.20:a']);
  t.end();
});

test('a single target stands in the promotion itself', (t) => {
  t.same(promotedTags({ images, promotion: ocp }), ['ocp/4.20:cli', 'ocp/4.20:tests']);
  t.end();
});

test('images below items count too', (t) => {
  const built = { items: images, build_if_affected: true };
  t.same(promotedTags({ images: built, promotion: { to: [ocp] } }), ['ocp/4.20:cli', 'ocp/4.20:tests']);
  t.end();
});

test('additional images are promoted under their own names, excluded ones not', (t) => {
  const target = { ...ocp, excluded_images: ['tests'], additional_images: { source: 'src', tests: 'bin' } };
  t.same(promotedTags({ images, promotion: { to: [target] } }), [
    'ocp/4.20:cli',
    'ocp/4.20:source',
    'ocp/4.20:tests',
  ]);
  t.end();
});

test('* excludes whatever is built', (t) => {
  const target = { ...ocp, excluded_images: ['*'], additional_images: { source: 'src' } };
  t.same(promotedTags({ images, promotion: { to: [target] } }), ['ocp/4.20:source']);
  t.end();
});

test('a disabled target promotes nothing', (t) => {
  t.same(promotedTags({ images, promotion: { to: [{ ...ocp, disabled: true }] } }), []);
  t.same(promotedTags({ images, promotion: { ...ocp, disabled: true } }), []);
  t.end();
});

test('tags of commits are not known', (t) => {
  t.same(promotedTags({ images: [{ to: 'a' }], promotion: { to: [{ ...ocp, tag_by_commit: true }] } }), [
    'ocp/4.20:a',
  ]);
  t.end();
});

test('the build cache of what is compiled is promoted, unless it is disabled', (t) => {
  const compiled = {
    binary_build_commands: 'make',
    zz_generated_metadata: { org: 'openshift', repo: 'thing', branch: 'main', variant: 'arm' },
  };
  t.same(promotedTags({ ...compiled, promotion: {} }), ['build-cache/openshift-thing:main-arm']);
  t.same(promotedTags({ ...compiled, promotion: { disable_build_cache: true } }), []);
  t.same(promotedTags(compiled), []);
  t.end();
});

test('what is of another shape says nothing', (t) => {
  t.same(promotedTags({ images: 1, promotion: 'yes' }), []);
  t.same(promotedTags({ images: [1, { to: 2 }], promotion: { to: [3, { name: 'x' }], namespace: 4 } }), []);
  t.end();
});
