import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'tap';
import { authFile } from '../../../src/cli/mirror/auth-file.ts';

async function written(...files: string[]): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, '{}');
  }
}

test('the file that is given counts, then the one of the environment', async (t) => {
  const path = t.testdir({ a: '{}', b: '{}' });
  const env = { REGISTRY_AUTH_FILE: join(path, 'b') };
  t.equal(await authFile(join(path, 'a'), env), join(path, 'a'));
  t.equal(await authFile(undefined, env), join(path, 'b'));
});

test('a file that is named and is not there is a mistake', async (t) => {
  const missing = join(t.testdir({}), 'none');
  const message = `the logins in ${missing} cannot be read`;
  await t.rejects(authFile(missing, {}), { name: 'UsageError', message });
  await t.rejects(authFile(undefined, { REGISTRY_AUTH_FILE: missing }), { name: 'UsageError', message });
});

test('a file that is not JSON is a mistake, told by its name and not by its text', async (t) => {
  const broken = join(t.testdir({ broken: '{"auths": secret' }), 'broken');
  const message = `the logins in ${broken} cannot be read: the file is not JSON`;
  await t.rejects(authFile(broken, {}), { name: 'UsageError', message, cause: undefined });
  await t.rejects(authFile(undefined, { REGISTRY_AUTH_FILE: broken }), { name: 'UsageError', message });
});

test('then those that podman and docker write are tried', async (t) => {
  const path = t.testdir({});
  const env = { HOME: join(path, 'home'), XDG_RUNTIME_DIR: join(path, 'run') };
  t.equal(await authFile(undefined, env), undefined);
  const files = ['home/.docker/config.json', 'home/.config/containers/auth.json', 'run/containers/auth.json'];
  for (const file of files.map((each) => join(path, each))) {
    await written(file);
    t.equal(await authFile(undefined, env), file);
  }
  await written(join(path, 'docker/config.json'));
  const docker = { HOME: join(path, 'other'), DOCKER_CONFIG: join(path, 'docker') };
  t.equal(await authFile(undefined, docker), join(path, 'docker/config.json'));
});
