import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import {
  createCredentialHelpers,
  type HelperEvents,
  type HelperSettings,
} from '../../../src/upstream/helpers/helpers.ts';
import { credentialsFrom } from '../../../src/upstream/login/credentials.ts';
import { type HelperProgram, helperProgram } from '../../support/helper-program.ts';
import { refusalOf } from '../rig.ts';

interface Test {
  testdir(): string;
  teardown(done: () => unknown): void;
}

type Told = Parameters<NonNullable<HelperEvents['helperRefused']>>[0];

const secret = 'a-very-secret-answer';
const found = { ServerURL: 'r.test', Username: 'robot', Secret: secret };

interface HelperRigOptions extends Partial<HelperSettings> {
  readonly env?: Readonly<Record<string, string>>;
}

/** Credentials of an auth file with that text, whose helpers are those of the settings. */
async function fileRig(t: Test, folder: string, file: unknown, options: HelperRigOptions = {}) {
  const refused: Told[] = [];
  const outcomes: string[] = [];
  const helpers = createCredentialHelpers({
    directories: [],
    environment: [],
    timeoutMs: 20_000,
    keepMs: 300_000,
    exec: [],
    env: { HOME: '/home/x', SECRET: 'ours', REGION: 'eu' },
    events: {
      helperRefused: (event) => void refused.push(event),
      helperAsked: ({ outcome }) => void outcomes.push(outcome),
    },
    ...options,
  });
  t.teardown(() => helpers.close());
  const authFile = join(folder, 'auth.json');
  await writeFile(authFile, JSON.stringify(file));
  const of = (hosts: readonly string[]) => credentialsFrom({ authFile }, hosts, helpers);
  return { helpers, of, authFile, refused, outcomes, credentials: of(['r.test']) };
}

function docker(folder: string, answer: Parameters<HelperProgram['answers']>[0]): HelperProgram {
  return helperProgram(folder, 'docker-credential-tool', answer);
}

test('a helper of an auth file is asked with get and the registry, and its answer kept', async (t) => {
  const folder = t.testdir();
  const program = docker(folder, { says: found });
  const { credentials, outcomes } = await fileRig(
    t,
    folder,
    { credHelpers: { 'r.test': 'tool' } },
    { directories: ['/nowhere', program.directory], environment: ['REGION', 'ABSENT'] },
  );
  t.same(await credentials.find('team/app'), { username: 'robot', password: secret });
  t.same(await credentials.find('team/web'), { username: 'robot', password: secret });
  t.match(program.runs, [{ args: 'get', input: 'r.test' }]);
  const [run] = program.runs;
  t.same(
    run?.env.map((line) => line.split('=')[0]).sort(),
    ['HOME', 'PATH', 'REGION'],
    'it gets no other variable',
  );
  t.same(outcomes, ['answered']);
});

test('the user <token> says that the secret is a refresh token', async (t) => {
  const folder = t.testdir();
  const { directory } = docker(folder, { says: { ...found, Username: '<token>' } });
  const { credentials } = await fileRig(t, folder, { credsStore: 'tool' }, { directories: [directory] });
  t.same(await credentials.find('a'), { username: '<token>', identityToken: secret });
});

test('Docker Hub goes by the name that docker gives it', async (t) => {
  const folder = t.testdir();
  const program = docker(folder, { says: found });
  const file = { credHelpers: { 'https://index.docker.io/v1/': 'tool' } };
  const { of } = await fileRig(t, folder, file, { directories: [program.directory] });
  t.match(await of(['docker.io', 'registry-1.docker.io', 'index.docker.io']).find('library/alpine'), {
    username: 'robot',
  });
  t.match(program.runs, [{ input: 'https://index.docker.io/v1/' }]);
});

test('a helper without a login leaves the entries of the file, and asks no store', async (t) => {
  const folder = t.testdir();
  const program = docker(folder, { says: 'credentials not found in native keychain', code: 1 });
  const auths = { 'r.test': { username: 'file', password: 'pair' } };
  const file = { credHelpers: { 'r.test': 'tool' }, credsStore: 'other', auths };
  const { credentials, refused, outcomes } = await fileRig(t, folder, file, {
    directories: [program.directory],
  });
  t.match(await credentials.find('a'), { username: 'file' });
  t.same(outcomes, ['absent']);
  t.same(refused, []);
});

test('the entries of a file go before its store, which has the rest', async (t) => {
  const folder = t.testdir();
  const program = docker(folder, { says: found });
  const auths = { 'r.test': {}, 'r.test/team': { username: 'file', password: 'pair' } };
  const { credentials } = await fileRig(
    t,
    folder,
    { auths, credsStore: 'tool' },
    { directories: [program.directory] },
  );
  t.match(await credentials.find('team/app'), { username: 'file' });
  t.equal(program.runs.length, 0);
  t.match(await credentials.find('other'), { username: 'robot' });
});

test('a helper that may not be run is reported with file and key, once', async (t) => {
  const folder = t.testdir();
  const program = docker(folder, { says: found });
  const names = ['../tool', 'tool;id', 'Tool', '', 'a'.repeat(65), 'absent', 7] as const;
  const credHelpers = Object.fromEntries(names.map((name, index) => [`r${index}.test`, name]));
  const { of, refused, authFile } = await fileRig(
    t,
    folder,
    { credHelpers },
    { directories: [program.directory] },
  );
  for (const index of [...names.keys(), ...names.keys()])
    t.equal(await of([`r${index}.test`]).find('a'), undefined);
  t.same(
    refused.map(({ file, key, helper }) => [file, key, helper]),
    names.flatMap((name, index) =>
      name === '' ? [] : [[authFile, `credHelpers.r${index}.test`, String(name)]],
    ),
  );
  t.same(program.runs, []);
});

test('without a directory no helper is run, and each is reported', async (t) => {
  const { credentials, refused } = await fileRig(t, t.testdir(), { credsStore: 'tool' });
  t.equal(await credentials.find('a'), undefined);
  t.match(refused, [{ key: 'credsStore', helper: 'tool', reason: /directories/ }]);
});

test('a failing helper makes the upstream unavailable, and its answer is in no error', async (t) => {
  const folder = t.testdir();
  const program = docker(folder, { says: secret, complains: 'no route to the cloud', code: 1 });
  const { credentials, outcomes } = await fileRig(
    t,
    folder,
    { credHelpers: { 'r.test': 'tool' } },
    { directories: [program.directory] },
  );
  const refusal = await refusalOf(credentials.find('a'));
  t.match(refusal, { code: 'UNAVAILABLE', retry: 'later', cause: { message: 'no route to the cloud' } });
  t.match(refusal.message, 'docker-credential-tool failed (exit code 1)');
  t.notMatch(`${refusal.message} ${refusal.stack} ${refusal.cause}`, secret);
  t.same(outcomes, ['failed']);
});

for (const [what, says] of [
  ['is not JSON', `{"Secret":"${secret}`],
  ['lacks the user', { Secret: secret }],
] as const) {
  test(`an answer that ${what} is refused, and not quoted`, async (t) => {
    const folder = t.testdir();
    const program = docker(folder, { says });
    const file = { credHelpers: { 'r.test': 'tool' } };
    const { credentials } = await fileRig(t, folder, file, { directories: [program.directory] });
    const refusal = await refusalOf(credentials.find('a'));
    t.equal(refusal.code, 'UNAVAILABLE');
    t.notMatch(`${refusal.message} ${refusal.stack} ${refusal.cause}`, secret);
  });
}

const response = {
  apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
  kind: 'CredentialProviderResponse',
  cacheKeyType: 'Registry',
  cacheDuration: '6h0m0s',
  auth: {
    '*.test': { username: 'all', password: secret },
    'r.test/team': { username: 'team', password: secret },
  },
};

function provider(program: HelperProgram): Partial<HelperSettings> {
  const settings = {
    name: 'tool',
    matchImages: ['r.test'],
    args: ['get', 'it'],
    env: { MODE: 'x' },
    keepMs: 1,
  };
  return { directories: [program.directory], exec: [settings] };
}

test('a provider of the kubelet is asked for the image, where no file has a login', async (t) => {
  const folder = t.testdir();
  const program = helperProgram(folder, 'tool', { says: response });
  const auths = { 'r.test/own': { username: 'file', password: 'pair' } };
  const { credentials, of } = await fileRig(t, folder, { auths }, provider(program));
  t.match(await credentials.find('own/app'), { username: 'file' });
  t.match(await of(['other.test']).find('a'), undefined);
  t.equal(program.runs.length, 0);
  t.match(await credentials.find('team/app'), { username: 'team', password: secret });
  t.match(await credentials.find('web'), { username: 'all' });
  t.equal(program.runs.length, 1);
  const [run] = program.runs;
  t.equal(run?.args, 'get it');
  t.ok(run?.env.includes('MODE=x'));
  t.same(JSON.parse(run?.input ?? ''), {
    apiVersion: response.apiVersion,
    kind: 'CredentialProviderRequest',
    image: 'r.test/team/app',
  });
});

for (const [what, wrong] of Object.entries({
  'another version': { apiVersion: 'credentialprovider.kubelet.k8s.io/v2' },
  'another kind': { kind: 'CredentialProviderRequest' },
  'no cacheKeyType': { cacheKeyType: undefined },
  'a wrong life': { cacheDuration: secret },
  'a login without a password': { auth: { 'r.test': { username: secret } } },
  'a login for no image': { auth: { [`https://${secret}`]: { username: 'a', password: 'b' } } },
})) {
  test(`a provider that answers with ${what} is refused, and not quoted`, async (t) => {
    const folder = t.testdir();
    const program = helperProgram(folder, 'tool', { says: { ...response, ...wrong } });
    const { credentials } = await fileRig(t, folder, {}, provider(program));
    const refusal = await refusalOf(credentials.find('a'));
    t.match(refusal, { code: 'UNAVAILABLE', message: /tool answered with/ });
    t.notMatch(`${refusal.message} ${refusal.stack} ${refusal.cause}`, secret);
  });
}

test('a provider that is not there makes the upstream unavailable', async (t) => {
  const folder = t.testdir();
  const exec = [{ name: 'tool', matchImages: ['r.test'], args: [], env: {}, keepMs: 1 }];
  const { credentials } = await fileRig(t, folder, {}, { directories: [folder], exec });
  t.match(await refusalOf(credentials.find('a')), { code: 'UNAVAILABLE', message: /tool is no executable/ });
});
