import { generateKeyPairSync } from 'node:crypto';
import { test } from 'tap';
import { type CursorOwner, type Cursors, createCursors } from '../../../src/auth/guards/cursors.ts';
import { parseTokenKeys, randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { parseRepository } from '../../../src/oci/reference.ts';

const secret = 'a'.repeat(32);
const other = 'b'.repeat(32);
const cursor = 'n=1&last=ocp-priv_4.20_installer';
const repository = parseRepository('openshift/ci');
const owner: CursorOwner = {
  host: 'qci.example',
  upstream: 'quay.io',
  repository,
  subject: { name: 'ann', cluster: 'app.ci' },
};

function under(...texts: string[]): Cursors {
  const keys = parseTokenKeys(texts);
  return createCursors(() => keys);
}

test('a cursor comes back as it was, and shows nothing of itself meanwhile', async (t) => {
  const { sealed, opened } = under(secret);
  const text = await sealed(cursor, owner);
  t.match(text, /^[\w-]+$/);
  t.notOk(Buffer.from(text, 'base64url').toString('latin1').includes('ocp'));
  t.not(await sealed(cursor, owner), text, 'not even that it is the same');
  t.equal(await opened(text, owner), cursor);
});

test('replicas with the same keys open each other’s, in whatever order they have them', async (t) => {
  const text = await under(secret).sealed(cursor, owner);
  t.equal(await under(other, secret).opened(text, owner), cursor);
  t.equal(await under(other).opened(text, owner), undefined);
  const random = randomTokenKeys();
  t.equal(await createCursors(() => random).opened(text, owner), undefined);
});

test('a private key seals as a secret does', async (t) => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  t.equal(await under(pem).opened(await under(pem).sealed(cursor, owner), owner), cursor);
});

test('a cursor opens for its list and its subject alone', async (t) => {
  const { sealed, opened } = under(secret);
  const text = await sealed(cursor, owner);
  const others: readonly Partial<CursorOwner>[] = [
    { host: 'registry.example' },
    { upstream: 'ghcr.io' },
    { repository: parseRepository('openshift/other') },
    { subject: { name: 'bob', cluster: 'app.ci' } },
    { subject: { name: 'ann', cluster: 'build01' } },
    { subject: { name: 'ann' } },
    { upstream: 'quay.io","openshift', repository: parseRepository('ci') },
  ];
  for (const other of others)
    t.equal(await opened(text, { ...owner, ...other }), undefined, JSON.stringify(other));
});

test('what was changed, cut or made up is not opened', async (t) => {
  const { sealed, opened } = under(secret);
  const text = await sealed(cursor, owner);
  const other = `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;
  for (const wrong of ['', 'x', text.slice(0, -4), `${text}AAAA`, other, 'n=1&last=x', '%00'])
    t.equal(await opened(wrong, owner), undefined, wrong);
});
