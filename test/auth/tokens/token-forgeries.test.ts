import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt, type JWTPayload, SignJWT } from 'jose';
import { test } from 'tap';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { parseTokenKeys, type TokenKey, type TokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { parseRepository } from '../../../src/oci/reference.ts';

const subject = { name: 'somebody', groups: ['g'], cluster: 'app.ci' };
const admin = { name: 'system:admin', groups: ['system:masters'], cluster: 'app.ci' };
const pair = generateKeyPairSync('ed25519');
const publicPem = String(pair.publicKey.export({ format: 'pem', type: 'spki' }));
const privatePem = String(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }));
const keys = parseTokenKeys([privatePem]);
const on = (value: TokenKeys) => () => value;
const verifier = createTokens({ keys: on(keys), audience: 'one' });

/** Claims such as ours are, for a forger to change. */
function claims(change: Readonly<Record<string, unknown>> = {}): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, nbf: now - 60, exp: now + 600 };
  return { iss: 'quayside', aud: 'one', jti: 'x', ...times, subject: admin, access: [], ...change };
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a public key is no secret: no HMAC under its text is accepted', async (t) => {
  const { kid } = keys.signing;
  for (const secret of [publicPem, publicPem.trim(), kid]) {
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      const forged = await new SignJWT(claims())
        .setProtectedHeader({ alg, kid })
        .sign(Buffer.from(secret.padEnd(64)));
      t.same(await verifier.verify(forged), { refused: 'foreign' }, alg);
    }
  }
});

test('a key is used with its own algorithm only, also beside keys of others', async (t) => {
  const mixed = parseTokenKeys([privatePem, 's'.repeat(32)]);
  const hmac = [...mixed.byKid.values()].find(({ algorithm }) => algorithm === 'HS256');
  const mine = createTokens({ keys: on(mixed), audience: 'one' });
  const good = await new SignJWT(claims())
    .setProtectedHeader({ alg: 'EdDSA', kid: keys.signing.kid })
    .sign(pair.privateKey);
  t.match(await mine.verify(good), { subject: admin });
  const crossed = await new SignJWT(claims())
    .setProtectedHeader({ alg: 'EdDSA', kid: hmac?.kid ?? '' })
    .sign(pair.privateKey);
  t.same(await mine.verify(crossed), { refused: 'foreign' });
  const nameless = await new SignJWT(claims()).setProtectedHeader({ alg: 'EdDSA' }).sign(pair.privateKey);
  t.same(await mine.verify(nameless), { refused: 'foreign' }, 'and none is tried that was not named');
});

test('a key is not even read for a token of another algorithm', async (t) => {
  const reads: string[] = [];
  const mixed = parseTokenKeys([privatePem, 's'.repeat(32)]);
  const watched = (key: TokenKey): TokenKey => ({
    ...key,
    get verifying() {
      reads.push(key.algorithm);
      return key.verifying;
    },
  });
  const byKid = new Map([...mixed.byKid].map(([kid, key]) => [kid, watched(key)]));
  const mine = createTokens({ keys: on({ ...mixed, byKid }), audience: 'one' });
  for (const [kid, { algorithm }] of mixed.byKid) {
    const crossed = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'EdDSA', kid })
      .sign(generateKeyPairSync('ed25519').privateKey);
    reads.length = 0;
    t.same(await mine.verify(crossed), { refused: 'foreign' });
    t.same(reads, algorithm === 'EdDSA' ? ['EdDSA'] : [], algorithm);
  }
});

test('no algorithm, another way to write none, or a key in the header: foreign', async (t) => {
  const { kid } = keys.signing;
  const jwk = generateKeyPairSync('ed25519');
  const embedded = {
    alg: 'EdDSA',
    kid,
    jwk: jwk.publicKey.export({ format: 'jwk' }),
    jku: 'https://evil.example/jwks',
  };
  const selfSigned = await new SignJWT(claims()).setProtectedHeader(embedded).sign(jwk.privateKey);
  t.same(await verifier.verify(selfSigned), { refused: 'foreign' });
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
    t.same(
      await verifier.verify(`${encoded({ alg, kid })}.${encoded(claims())}.`),
      { refused: 'foreign' },
      alg,
    );
  }
});

test('a token with more scopes, another subject or a longer life edited in is foreign', async (t) => {
  const { token } = await verifier.issue(subject, [{ name: parseRepository('a/b'), isGranted: true }]);
  const [head = '', payload = '', signature = ''] = token.split('.');
  const own = decodeJwt(token);
  for (const change of [
    { access: [{ type: 'repository', name: 'ocp-priv/release', actions: ['pull'] }] },
    { subject: admin },
    { exp: 9_999_999_999 },
    { aud: ['one', 'two'] },
  ]) {
    const edited = `${head}.${encoded({ ...own, ...change })}.${signature}`;
    t.same(await verifier.verify(edited), { refused: 'foreign' });
  }
  t.match(await verifier.verify(token), { subject, scopes: ['a/b'] });
  t.same(await verifier.verify(`${head}.${payload}.${signature.slice(0, -2)}`), { refused: 'foreign' });
});

test('a good signature is not enough: issuer, audience, dates and subject must be right', async (t) => {
  const { kid } = keys.signing;
  const signed = (change: Readonly<Record<string, unknown>>) =>
    new SignJWT(claims(change)).setProtectedHeader({ alg: 'EdDSA', kid }).sign(pair.privateKey);
  const now = Math.floor(Date.now() / 1000);
  for (const [change, refused] of [
    [{ iss: 'https://kubernetes.default.svc' }, 'strange'],
    [{ aud: 'two' }, 'foreign'],
    [{ aud: undefined }, 'foreign'],
    [{ exp: undefined }, 'foreign'],
    [{ exp: now - 1 }, 'expired'],
    [{ nbf: now + 60 }, 'foreign'],
    [{ jti: undefined }, 'foreign'],
    [{ subject: undefined }, 'expired'],
    [{ subject: { name: 'x', groups: 'system:masters' } }, 'expired'],
    [{ subject: undefined, subjectId: 'f'.repeat(64) }, 'expired'],
  ] as const) {
    t.same(await verifier.verify(await signed(change)), { refused }, JSON.stringify(change));
  }
});

test('a token that is used at once on a replica whose clock is behind is good', async (t) => {
  const behind = createTokens({ keys: on(keys), audience: 'one', now: () => Date.now() - 30_000 });
  const { token } = await verifier.issue(subject, []);
  t.match(await behind.verify(token), { subject });
});
