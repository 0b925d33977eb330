import { test } from 'tap';
import { Expression } from '../../../src/base/text/expression.ts';
import { repositoryGlob, tagGlob } from '../../../src/base/text/glob.ts';
import { createWorkWatch } from '../../support/work-watch.ts';

test('an expression fits a part of a text or the whole of it', async (t) => {
  t.ok(Expression.anywhere('b+').test('abbc'));
  t.notOk(Expression.whole('b+').test('abbc'));
  t.ok(Expression.whole('a|b').test('b'));
  t.notOk(Expression.whole('a|b').test('ab'));
  t.notOk(Expression.whole('prod').test('prod\n'));
  t.ok(Expression.anywhere('(?i)^OCP$').test('ocp'));
});

test('a match gives its named groups, each time anew', async (t) => {
  const shape = Expression.whole('(?<namespace>[a-z]+)_(?P<name>[a-z]+)(?:_(?<tag>.+))?');
  t.same(shape.groups, ['namespace', 'name', 'tag']);
  for (const _ of ['once', 'twice']) {
    t.same(shape.match('ocp_cli_x'), { namespace: 'ocp', name: 'cli', tag: 'x' });
    t.same(shape.match('ocp_cli'), { namespace: 'ocp', name: 'cli', tag: undefined });
    t.equal(shape.match('ocp'), undefined);
  }
  t.same(Expression.whole('a').match('a'), {});
});

test('what takes more than linear time is refused, with the reason', async (t) => {
  for (const source of ['(a)\\1', '(?!x)y', 'x(?=y)', '(?<=x)y', '(?<!x)y', '(', 'a{1001}', '[z-a]']) {
    for (const make of [Expression.anywhere, Expression.whole]) {
      t.throws(() => make(source), { message: /^is not a regular expression of RE2, .*: .+/ }, source);
    }
  }
  t.throws(() => Expression.whole('a)(b'), 'what only fits together inside other brackets');
});

test('an expression that would backtrack takes no time', async (t) => {
  const workMs = createWorkWatch();
  for (const source of ['(a+)+b', '(a|a)*b', '(a|aa)+b', '(?:.*,){12}P', 'a*a*a*a*a*b']) {
    for (const text of ['a'.repeat(400), 'a,'.repeat(200), `${'a'.repeat(399)}!`]) {
      t.notOk(Expression.whole(source).test(text));
    }
  }
  t.ok(workMs() < 1000, `${workMs()} ms`);
});

test('a star of a glob is any text, and everything else is itself', async (t) => {
  const tags = ['v1.2-ok', 'v1.-ok', 'v1x2-ok', 'v1.2-ok2', 'av1.2-ok'];
  t.same(
    tags.filter((tag) => tagGlob('v1.*-ok').test(tag)),
    ['v1.2-ok', 'v1.-ok'],
  );
  t.ok(tagGlob('a**b').test('ab'));
  t.notOk(tagGlob('v1').test('v1.1'));
});

test('a star of a repository stays in its component, two stars do not', async (t) => {
  t.ok(repositoryGlob('openshift/*').test('openshift/ci'));
  t.notOk(repositoryGlob('openshift/*').test('openshift/ci/x'));
  t.ok(repositoryGlob('openshift/**').test('openshift/ci/x'));
  t.ok(repositoryGlob('**/ci').test('a/b/ci'));
  t.notOk(repositoryGlob('a.b/*').test('axb/c'));
});
