import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { run } from '../../../src/cli/commands/run.ts';
import { recordedIo } from '../io.ts';

async function checked(file: string): Promise<{ code: number; out: string; err: string }> {
  const io = recordedIo();
  return { code: await run(['config', 'check', file], io), out: io.out(), err: io.err() };
}

/**
 * A configuration in a directory of its own, `DIR` in its text replaced by that directory; a secret
 * is beside it.
 */
async function withConfig(t: Test, text: string): Promise<{ file: string; directory: string }> {
  const directory = t.testdir({ secret: 'hunter2' });
  const file = join(directory, 'q.yaml');
  await writeFile(file, text.replaceAll('DIR', directory));
  return { file, directory };
}

test('the sample file is fine', async (t) => {
  t.match(await checked('deploy/quayside.yaml'), { code: 0, out: 'deploy/quayside.yaml: fine\n', err: '' });
});

test('every fault is a line that an editor can jump to', async (t) => {
  const { file } = await withConfig(t, 'listen: 1\nlog: {}\ntags: { gone: away }\n');
  const { code, out } = await checked(file);
  t.equal(code, 2);
  t.match(out.split('\n'), [
    `${file}:1: listen: must be host:port`,
    `${file}:3: tags.gone: must be one of hide, keep`,
    '',
  ]);
});

test('every file that is named and cannot be read is a fault at its line', async (t) => {
  const { file, directory } = await withConfig(
    t,
    `upstreams:
  quay.io:
    credentials:
      usernameFile: DIR/nowhere
      passwordFile: DIR
`,
  );
  const { code, out } = await checked(file);
  t.equal(code, 2);
  t.same(out.split('\n'), [
    `${file}:4: upstreams["quay.io"].credentials.usernameFile: ${directory}/nowhere cannot be read (ENOENT)`,
    `${file}:5: upstreams["quay.io"].credentials.passwordFile: ${directory} is not a file`,
    '',
  ]);
});

test('files that can be read are fine, and nothing of them is printed', async (t) => {
  const { file } = await withConfig(t, 'tls: { certFile: DIR/secret, keyFile: DIR/secret }');
  const { code, out } = await checked(file);
  t.equal(code, 0);
  t.notMatch(out, /hunter2/);
});

test('a configuration that is not there is a fault', async (t) => {
  const file = join(t.testdir({}), 'nowhere.yaml');
  t.same(await checked(file), { code: 2, out: `${file}: cannot be read (ENOENT)\n`, err: '' });
});

test('unusable token keys are faults at their lines', async (t) => {
  const { file, directory } = await withConfig(
    t,
    `hosts:
  a.example:
    auth: robots
    robots: { usernameFile: DIR/secret, passwordFile: DIR/secret }
    tokenSecretFile: DIR/secret
  b.example:
    auth: robots
    robots: { usernameFile: DIR/secret, passwordFile: DIR/secret }
    tokenKeyFiles:
      - DIR/public.pem
`,
  );
  const { publicKey } = generateKeyPairSync('ed25519');
  await writeFile(join(directory, 'public.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  const { code, out } = await checked(file);
  t.equal(code, 2);
  t.same(out.split('\n'), [
    `${file}:5: hosts["a.example"].tokenSecretFile: line 1 of secret is shorter than 32 bytes`,
    `${file}:10: hosts["b.example"].tokenKeyFiles[0]: no token key can sign: one must be a private key or a secret`,
    '',
  ]);
});
