import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { test } from 'tap';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { parseTokenKeys, randomTokenKeys, type TokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { parseRepository } from '../../../src/oci/reference.ts';

const subject = { name: 'robot', groups: ['g'], uid: 'u', extra: { scopes: ['user:full'] } };
const keys = parseTokenKeys(['a'.repeat(32)]);
const fixed = (value: TokenKeys) => () => value;

test('a token carries its subject and scopes to each holder of the key', async (t) => {
  const issuing = createTokens({ keys: fixed(keys), audience: 'cache' });
  const { token, expiresInSeconds, issuedAt } = await issuing.issue(subject, [
    { name: parseRepository('a/b'), isGranted: true },
  ]);
  t.equal(expiresInSeconds, 21_600);
  t.ok(issuedAt instanceof Date);
  const replica = createTokens({ keys: fixed(parseTokenKeys(['a'.repeat(32)])), audience: 'cache' });
  t.match(await replica.verify(token), { subject, scopes: ['a/b'] });
  t.notOk(replica.verify(token) instanceof Promise, 'at once the second time');
  const { iat = 0, exp = 0, jti, aud, sub } = decodeJwt(token);
  t.equal(exp - iat, 21_600);
  t.match({ jti, aud, sub }, { jti: /^[0-9a-f-]{36}$/, aud: 'cache', sub: 'robot' });
  t.equal(decodeProtectedHeader(token).kid, keys.signing.kid);
});

test('a token ends, remembered or not', async (t) => {
  let clock = Date.now();
  const mine = createTokens({ keys: fixed(keys), audience: 'cache', validitySeconds: 300, now: () => clock });
  const { token } = await mine.issue(subject, []);
  t.match(await mine.verify(token), { subject });
  clock += 301_000;
  t.same(await mine.verify(token), { refused: 'expired' });
  const other = createTokens({ keys: fixed(keys), audience: 'cache', now: () => clock });
  t.same(await other.verify(token), { refused: 'expired' });
});

test('a token of another host is foreign, one of a key that is not ours names an unknown key', async (t) => {
  const { token } = await createTokens({ keys: fixed(keys), audience: 'one' }).issue(subject, []);
  t.same(await createTokens({ keys: fixed(keys), audience: 'two' }).verify(token), { refused: 'foreign' });
  t.same(await createTokens({ keys: fixed(randomTokenKeys()), audience: 'one' }).verify(token), {
    refused: 'unknown-key',
  });
  const [head, , signature] = token.split('.');
  const forged = Buffer.from(
    '{"iss":"quayside","aud":"one","subject":{"name":"admin","groups":[]}}',
  ).toString('base64url');
  t.same(
    await createTokens({ keys: fixed(keys), audience: 'one' }).verify(`${head}.${forged}.${signature}`),
    {
      refused: 'foreign',
    },
  );
});

test('an unsigned token, and one signed another way, say nothing', async (t) => {
  const mine = createTokens({ keys: fixed(keys), audience: 'one' });
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: 'quayside', aud: 'one', exp: 9_999_999_999, subject };
  t.match(await mine.verify(`${part({ alg: 'none', kid: keys.signing.kid })}.${part(claims)}.`), {
    refused: 'foreign',
  });
  const otherwise = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS512', kid: keys.signing.kid })
    .sign(Buffer.alloc(64, 'a'));
  t.same(await mine.verify(otherwise), { refused: 'foreign' });
  for (const garbage of ['', 'a', 'a.b.c', 'sha256~abc', 'x'.repeat(8000)]) {
    t.match(await mine.verify(garbage), { refused: 'strange' }, garbage.slice(0, 20));
  }
});

test('keys are rotated: the first signs, all verify, one that is taken away ends its tokens at once', async (t) => {
  let current = parseTokenKeys(['o'.repeat(32)]);
  const mine = createTokens({ keys: () => current, audience: 'cache' });
  const { token: old } = await mine.issue(subject, []);
  current = parseTokenKeys([`${'n'.repeat(40)}\n\n${'o'.repeat(32)}\n`]);
  const { token: fresh } = await mine.issue(subject, []);
  t.match(await mine.verify(old), { subject });
  t.match(await mine.verify(fresh), { subject });
  t.not(decodeProtectedHeader(old).kid, decodeProtectedHeader(fresh).kid);
  current = parseTokenKeys(['n'.repeat(40)]);
  t.same(await mine.verify(old), { refused: 'unknown-key' });
  t.match(await mine.verify(fresh), { subject });
});
