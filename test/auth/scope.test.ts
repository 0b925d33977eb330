import { test } from 'tap';
import { grantedScopes } from '../../src/auth/scope.ts';

test('pulling is granted, in one text or several', async (t) => {
  t.same(grantedScopes(['repository:a/b:pull', 'repository:c:pull,push repository:d:*']), ['a/b', 'c', 'd']);
  t.same(grantedScopes(['repository:a:pull', 'repository:a:pull']), ['a']);
  t.same(grantedScopes([]), []);
});

test('everything but pulling is left out in silence', async (t) => {
  t.same(
    grantedScopes([
      'repository:a:push',
      'registry:catalog:*',
      'repository(plugin):a:pull',
      'repository:A:pull',
      'repository:../x:pull',
      'repository:a',
      'nonsense',
    ]),
    [],
  );
});

test('more than 100 scopes are refused', async (t) => {
  t.equal(grantedScopes(['repository:a:pull '.repeat(100)]).length, 1);
  t.throws(() => grantedScopes(['repository:a:pull '.repeat(101)]), { code: 'UNAUTHORIZED' });
});
