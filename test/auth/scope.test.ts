import { test } from 'tap';
import { requestedScopes } from '../../src/auth/scope.ts';

test('pulling is granted, in one text or several', async (t) => {
  t.same(requestedScopes(['repository:a/b:pull', 'repository:c:pull,push repository:d:*']), [
    'a/b',
    'c',
    'd',
  ]);
  t.same(requestedScopes(['repository:a:pull', 'repository:a:pull']), ['a']);
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
  t.equal(requestedScopes(['repository:a:pull '.repeat(100)])?.length, 1);
  t.throws(() => requestedScopes(['repository:a:pull '.repeat(101)]), { code: 'UNAUTHORIZED' });
});

test('to ask for nothing is not to ask for what we do not know', async (t) => {
  for (const texts of [[], [''], [' ', '']]) t.equal(requestedScopes(texts), undefined);
  t.same(requestedScopes(['nonsense']), []);
});

test('names that would make a token too large are left out', async (t) => {
  const names = Array.from({ length: 100 }, (_, index) => `repository:${'long'.repeat(20)}/${index}:pull`);
  const kept = requestedScopes(names) ?? [];
  t.ok(kept.length > 20 && kept.length < 30);
  t.equal(kept[0], `${'long'.repeat(20)}/0`);
});
