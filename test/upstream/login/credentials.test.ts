import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { credentialsFrom } from '../../../src/upstream/login/credentials.ts';
import { credentialFor, parseAuthFile } from '../../../src/upstream/login/login-file.ts';

function basic(pair: string): { readonly auth: string } {
  return { auth: Buffer.from(pair).toString('base64') };
}

const entries = parseAuthFile(
  JSON.stringify({
    auths: {
      'quay.io': basic('everyone:1'),
      'quay.io/openshift': basic('openshift:2'),
      'quay.io/openshift/ci': basic('ci:3:with:colons'),
      'https://index.docker.io/v1/': basic('hub:4'),
      'ghcr.io': { username: 'plain', password: 'pair' },
      'empty.example.com': {},
    },
  }),
);

test('the longest prefix decides', async (t) => {
  const nameOf = (repository: string) => credentialFor(entries, ['quay.io'], repository)?.username;
  t.equal(nameOf('openshift/ci'), 'ci');
  t.equal(nameOf('openshift/ci/nested'), 'ci');
  t.equal(nameOf('openshift/cis'), 'openshift');
  t.equal(nameOf('other/app'), 'everyone');
  t.equal(nameOf(''), 'everyone');
});

test('a password may hold colons', async (t) => {
  t.match(credentialFor(entries, ['quay.io'], 'openshift/ci'), { password: '3:with:colons' });
});

test('what docker pads a login with is no part of the password', async (t) => {
  const padded = parseAuthFile(JSON.stringify({ auths: { 'q.io': basic('robot:s\0\0') } }));
  t.same(credentialFor(padded, ['q.io'], 'a'), { username: 'robot', password: 's' });
});

test('a key that is a URL names its host', async (t) => {
  t.match(credentialFor(entries, ['docker.io', 'index.docker.io'], 'library/alpine'), { username: 'hub' });
});

test('a user name and a password may stand in plain', async (t) => {
  t.same(credentialFor(entries, ['ghcr.io'], 'a/b'), { username: 'plain', password: 'pair' });
});

test('a host without an entry, or with an empty one, is visited anonymously', async (t) => {
  t.equal(credentialFor(entries, ['gcr.io'], 'a/b'), undefined);
  t.equal(credentialFor(entries, ['empty.example.com'], 'a/b'), undefined);
});

test('an auth file is read again when it has changed', async (t) => {
  const authFile = join(t.testdir(), 'auth.json');
  const credentials = credentialsFrom({ authFile }, ['quay.io']);
  await writeFile(authFile, JSON.stringify({ auths: { 'quay.io': basic('a:1') } }));
  t.match(await credentials.find('x'), { username: 'a' });
  await writeFile(authFile, JSON.stringify({ auths: { 'quay.io': basic('b:2') } }));
  await utimes(authFile, new Date(), new Date(Date.now() + 5_000));
  t.match(await credentials.find('x'), { username: 'b' });
});

test('an auth file that is not JSON is refused for as long as it is there, and not quoted', async (t) => {
  const authFile = join(t.testdir({ 'auth.json': '{"auths": secret' }), 'auth.json');
  const credentials = credentialsFrom({ authFile }, ['quay.io']);
  const refusal: unknown = await credentials.find('x').catch((error: unknown) => error);
  t.match(refusal, { code: 'UNAVAILABLE', retry: 'later', cause: undefined });
  t.notMatch(String(refusal), 'secret');
});

test('an auth file without entries means anonymous', async (t) => {
  t.equal(parseAuthFile('{}').size, 0);
  t.equal(parseAuthFile('null').size, 0);
});
