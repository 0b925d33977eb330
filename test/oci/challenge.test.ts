import { test } from 'tap';
import { challengeText, parseChallenges } from '../../src/oci/challenge.ts';

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
});

test('nothing and nonsense are no challenges', async (t) => {
  t.same(parseChallenges(undefined), []);
  t.same(parseChallenges('='), []);
});

test('what is written can be read again', async (t) => {
  const parameters = { realm: 'https://x/"y"', service: 'a\\b' };
  t.same(parseChallenges(challengeText('Bearer', parameters)), [{ scheme: 'bearer', parameters }]);
});
