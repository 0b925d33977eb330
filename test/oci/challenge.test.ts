import { test } from 'tap';
import { challengeText, parseChallenges } from '../../src/oci/challenge.ts';
import { createWorkWatch } from '../support/work-watch.ts';

test('a bearer challenge is read with its parameters', async (t) => {
  const line = 'Bearer realm="https://quay.io/v2/auth",service="quay.io",scope="repository:a/b:pull,push"';
  t.same(parseChallenges(line), [
    {
      scheme: 'bearer',
      parameters: { realm: 'https://quay.io/v2/auth', service: 'quay.io', scope: 'repository:a/b:pull,push' },
    },
  ]);
});

test('several challenges are read from one line and from several', async (t) => {
  const schemes = (lines: string | string[]) => parseChallenges(lines).map(({ scheme }) => scheme);
  t.same(schemes('Basic realm="a, b", Bearer realm=x,error="insufficient_scope"'), ['basic', 'bearer']);
  t.same(schemes(['Negotiate', 'Basic realm="x"']), ['negotiate', 'basic']);
  t.same(schemes('Negotiate, Basic realm="x"'), ['negotiate', 'basic']);
  t.same(schemes(', Negotiate YII=, NTLM ,Basic realm="x" ,'), ['negotiate', 'ntlm', 'basic']);
  t.same(schemes('Negotiate Basic realm = x, Bearer'), ['negotiate', 'basic', 'bearer']);
});

test('what cannot be read ends its line, and what came before stands', async (t) => {
  t.same(parseChallenges(['Basic realm="x", "', 'Bearer realm="y']), [
    { scheme: 'basic', parameters: { realm: 'x' } },
    { scheme: 'bearer', parameters: {} },
  ]);
});

test('nothing and nonsense are no challenges', async (t) => {
  t.same(parseChallenges(undefined), []);
  t.same(parseChallenges('='), []);
});

test('what is written can be read again', async (t) => {
  const parameters = { realm: 'https://x/"y"', service: 'a\\b' };
  t.same(parseChallenges(challengeText('Bearer', parameters)), [{ scheme: 'bearer', parameters }]);
});

test('a scheme without parameters, or with a token of its own, hides none of the others', async (t) => {
  for (const first of ['Negotiate', 'Negotiate YII+abc/==', 'NTLM TlRMTVNTUAAB', 'Negotiate ,, ']) {
    t.same(
      parseChallenges(`${first}, Basic realm="x"`).map(({ scheme }) => scheme),
      [first.split(' ', 1)[0]?.toLowerCase(), 'basic'],
      first,
    );
  }
});

test('spaces around an equals sign part nothing, and an open quote ends the line', async (t) => {
  t.same(parseChallenges('Bearer realm = "a" , service= b'), [
    { scheme: 'bearer', parameters: { realm: 'a', service: 'b' } },
  ]);
  t.same(parseChallenges('Bearer realm="a", service="b'), [{ scheme: 'bearer', parameters: { realm: 'a' } }]);
});

test('a line that is made to take long is read in no time, or not at all', async (t) => {
  const workMs = createWorkWatch();
  for (const filling of [' ', '\t', ',', 'a', 'a ', 'a=', 'a,', '"', '\\', '=', 'a="']) {
    for (const length of [8000, 64_000]) {
      const line = `Bearer ${filling.repeat(length / filling.length)}\u0000`;
      t.ok(parseChallenges(line).length <= 8000);
    }
  }
  t.ok(workMs() < 500, `${workMs()} ms`);
});
