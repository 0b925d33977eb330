import { test } from 'tap';
import { requestedScopes } from '../../src/auth/scope.ts';

test('pulling is granted, in one text or several', async (t) => {
  t.same(requestedScopes(['repository:a/b:pull', 'repository:c:pull,push repository:d:*']), [
    'a/b',
    'c',
    'd',
  ]);
  t.same(requestedScopes(['repository:a:pull', 'repository:a:pull']), ['a']);
  t.same(requestedScopes([]), []);
});

test('everything but pulling is left out in silence', async (t) => {
  t.same(
    requestedScopes([
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
  t.equal(requestedScopes(['repository:a:pull '.repeat(100)]).length, 1);
  t.throws(() => requestedScopes(['repository:a:pull '.repeat(101)]), { code: 'UNAUTHORIZED' });
});
