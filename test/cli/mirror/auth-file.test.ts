import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'tap';
import { authFile, commandHelpers } from '../../../src/cli/mirror/auth-file.ts';
import { load } from '../../../src/config/load.ts';
import { helperProgram } from '../../support/helper-program.ts';
import { recordedIo } from '../io.ts';

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

const server = { registry: 'r.test', repository: 'a' };

test('a command runs helpers from the directories of its environment, or of its settings', async (t) => {
  const folder = t.testdir();
  const says = { ServerURL: 'r.test', Username: 'robot', Secret: 's' };
  const { directory } = helperProgram(folder, 'docker-credential-tool', { says });
  const place = { file: 'auth.json', key: 'credsStore', helper: 'tool' };
  const io = { ...recordedIo(), env: { QUAYSIDE_CREDENTIAL_HELPERS: `relative:/nowhere:${directory}` } };
  t.match(await commandHelpers(io).named(place, server), { username: 'robot' });
  const settings = load(`credentialHelpers: { directories: [${directory}] }`, {});
  t.match(await commandHelpers(recordedIo(), settings).named(place, server), { username: 'robot' });
});

test('a helper that a command does not run is a warning with file and key', async (t) => {
  const io = recordedIo();
  const place = { file: 'auth.json', key: 'credHelpers.r.test', helper: 'tool' };
  t.equal(await commandHelpers(io).named(place, server), undefined);
  t.match(io.err(), 'warning: auth.json: credHelpers.r.test names the credential helper tool: ');
  t.match(io.err(), 'QUAYSIDE_CREDENTIAL_HELPERS');
});
