import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint } from 'jose';
import { test } from 'tap';
import { createTokenKeys, parseTokenKeys } from '../../../src/auth/tokens/token-keys.ts';

const secret = (letter: string): string => letter.repeat(32);
const ed25519 = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const privatePem = (key: KeyObject, type: 'pkcs8' | 'sec1' = 'pkcs8') =>
  String(key.export({ format: 'pem', type }));
const publicPem = (key: KeyObject) => String(key.export({ format: 'pem', type: 'spki' }));

test('PEM keys are named by their RFC 7638 thumbprint, the private and the public one alike', async (t) => {
  for (const { privateKey, publicKey, algorithm } of [
    { ...ed25519, algorithm: 'EdDSA' },
    { ...p256, algorithm: 'ES256' },
  ]) {
    const kid = await calculateJwkThumbprint(publicKey.export({ format: 'jwk' }));
    t.match(parseTokenKeys([privatePem(privateKey)]).signing, { kid, algorithm });
    const both = parseTokenKeys([publicPem(publicKey), secret('a')]);
    t.match(both.byKid.get(kid), { kid, algorithm, signing: undefined });
    t.equal(both.signing.algorithm, 'HS256', 'a public key cannot sign');
  }
});

test('the first key that can sign does, and all files count', (t) => {
  const { signing, byKid } = parseTokenKeys([
    publicPem(p256.publicKey) + privatePem(ed25519.privateKey),
    `${secret('a')}\n\n${secret('b')}\n`,
  ]);
  t.equal(signing.algorithm, 'EdDSA');
  t.equal(byKid.size, 4);
  t.end();
});

test('what openssl writes is read: SEC1 keys, curve parameters before them, other line ends', (t) => {
  const sec1 = privatePem(p256.privateKey, 'sec1');
  const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
  t.equal(parseTokenKeys([(parameters + sec1).replaceAll('\n', '\r\n')]).signing.algorithm, 'ES256');
  t.end();
});

test('a file that is wrong is named with its line or block, and not shown', (t) => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const cipher = { cipher: 'aes-256-cbc', passphrase: 'hunter2' };
  const locked = ed25519.privateKey.export({ format: 'pem', type: 'pkcs8', ...cipher });
  for (const [text, told] of [
    [`${secret('a')}\nhunter2\n`, /^line 2 of one is shorter than 32 bytes/],
    [' \n', /^one holds no token key/],
    [privatePem(rsa.privateKey), /^block 1 of one is not an Ed25519 or P-256 key/],
    [publicPem(ed25519.publicKey) + privatePem(p384.privateKey), /^block 2 of one/],
    [String(locked), /^block 1 of one/],
    [`hunter2\n${privatePem(ed25519.privateKey)}`, /^one holds something beside PEM keys/],
    [publicPem(ed25519.publicKey), /^no token key can sign/],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', /^block 1 of one/],
  ] as const) {
    t.throws(() => parseTokenKeys([text], ['one']), told);
    t.throws(() => parseTokenKeys([text], ['one']), /^(?!.*hunter2)/);
  }
  t.end();
});

test('files are followed: a new first key signs from its next look on, the old one still verifies', async (t) => {
  const directory = t.testdir({ first: secret('a'), second: secret('b') });
  const [first, second] = [join(directory, 'first'), join(directory, 'second')];
  const read = createTokenKeys({ tokenKeyFiles: [first], tokenSecretFile: second }, { everyMs: 0 });
  const before = await read();
  t.equal(before.byKid.size, 2);
  await writeFile(`${first}.new`, privatePem(ed25519.privateKey));
  await rename(`${first}.new`, first);
  const after = await read();
  t.equal(after.signing.algorithm, 'EdDSA');
  t.ok(
    [...before.byKid.keys()].some((kid) => after.byKid.has(kid)),
    'the second file is as it was',
  );
  await writeFile(first, 'short');
  await t.rejects(async () => read(), { code: 'UNAVAILABLE' });
});

test('without files there is one key, unknown to other processes', async (t) => {
  const [one, other] = [await createTokenKeys({})(), await createTokenKeys({})()];
  t.equal(one.signing.algorithm, 'HS256');
  t.not(one.signing.kid, other.signing.kid);
});
