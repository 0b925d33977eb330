import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { migratingReferences } from '../../../src/cli/migrate/migrate.ts';
import { kindsDouble } from '../../support/kinds-double.ts';
import { recordedIo } from '../io.ts';

const deployments = '/apis/apps/v1/deployments';
const jobs = '/apis/batch/v1/jobs';
const secrets = '/api/v1/secrets';
const accounts = '/api/v1/serviceaccounts';
const move = 'old.test/*=new.test/*';
const all = ['--include=deployments,secrets'];

/** A cluster whose pods log in, and the command. */
async function loginRig(t: Test) {
  const api = await kindsDouble(t, [deployments, jobs, secrets, accounts]);
  const folder = t.testdir({ kubeconfig: api.kubeconfig });
  const file = (name: string) => join(folder, name);
  return {
    ...{ api, file },
    async run(...args: string[]) {
      const io = recordedIo();
      const words = ['--kubeconfig', file('kubeconfig'), '--no-check', ...args];
      const code = await migratingReferences()(words, io);
      return { code, out: io.out(), err: io.err() };
    },
    deploy(name: string, image: string, pod: object = {}): void {
      const spec = { template: { spec: { containers: [{ name: 'a', image }], ...pod } } };
      api.put(deployments, { metadata: { namespace: 'ci', name, uid: name }, spec });
    },
    secret(name: string, ...hosts: string[]): void {
      const auths = Object.fromEntries(hosts.map((host) => [host, { auth: 'b2xkOnNlY3JldA==' }]));
      const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') };
      api.put(secrets, { metadata: { namespace: 'ci', name }, type: 'kubernetes.io/dockerconfigjson', data });
    },
    hosts(name: string): readonly string[] {
      const { data } = api.get(secrets, `ci/${name}`) as unknown as { data: Record<string, string> };
      const text = Buffer.from(data['.dockerconfigjson'] ?? '', 'base64').toString();
      return Object.keys((JSON.parse(text) as { auths: object }).auths);
    },
  };
}

const uses = (...names: string[]) => ({ imagePullSecrets: names.map((name) => ({ name })) });
const lacks = (name: string, image: string) =>
  `warning:    -n ci deployments.apps/${name}: its pull secrets have no login for ${image}`;

test('a workload whose secrets stay is told that they lack the new host, in a dry run too', async (t) => {
  const { run, deploy, secret } = await loginRig(t);
  secret('pull', 'https://old.test/v1/', 'b.test');
  deploy('web', 'old.test/team/app:v1', uses('pull'));
  for (const flags of [[], ['--confirm']]) {
    const { code, err } = await run('--include=deployments', ...flags, move);
    t.equal(code, 0, 'the new place may need no login');
    t.match(
      err,
      `${lacks('web', 'new.test/team/app:v1')}, and pull has that of https://old.test/v1/ for old.test/team/app:v1\n`,
    );
    t.match(err, 'warning: 1 references are without a login that they have now: --add-logins FILE');
  }
});

test('where the secrets are renamed too, or no secret has a login, no workload is warned of', async (t) => {
  const { run, deploy, secret } = await loginRig(t);
  secret('pull', 'old.test/team');
  deploy('web', 'old.test/team/app:v1', uses('pull'));
  deploy('public', 'old.test/library/app:v1', uses('pull'));
  deploy('nodes', 'old.test/team/app:v1');
  for (const flags of [[], ['--confirm']]) {
    const { err } = await run(...all, ...flags, move);
    t.notMatch(err, 'warning');
  }
});

test('the secrets of the service account count where the pod names none', async (t) => {
  const { run, deploy, secret, api } = await loginRig(t);
  secret('pull', 'old.test');
  secret('other', 'b.test');
  api.put(accounts, { metadata: { namespace: 'ci', name: 'default' }, ...uses('pull') });
  api.put(accounts, { metadata: { namespace: 'ci', name: 'robot' }, ...uses('pull', 'gone') });
  deploy('plain', 'old.test/app:v1');
  deploy('robot', 'old.test/app:v1', { serviceAccountName: 'robot' });
  deploy('own', 'old.test/app:v1', { serviceAccountName: 'robot', ...uses('other') });
  const { err } = await run('--include=deployments', move);
  t.match(err, lacks('plain', 'new.test/app:v1'));
  t.match(err, lacks('robot', 'new.test/app:v1'));
  t.notMatch(err, 'deployments.apps/own');
  const reads = api.requests.filter((line) => line.endsWith('/secrets/pull'));
  t.equal(reads.length, 1, 'each secret is read once');
});

test('an image whose login is renamed away from it is told', async (t) => {
  for (const flags of [[], ['--confirm']]) {
    const { run, deploy, secret } = await loginRig(t);
    secret('pull', 'old.test');
    deploy('web', 'old.test/team/app:v1', uses('pull'));
    const { err } = await run(...all, ...flags, 'old.test/team/app=third.test/app', move);
    t.match(err, `${lacks('web', 'third.test/app:v1')}, and pull has that of old.test`);
  }
});

test('an image that stays while its login is renamed is told', async (t) => {
  const { run, secret, api } = await loginRig(t);
  secret('pull', 'old.test');
  const template = { spec: { containers: [{ name: 'a', image: 'old.test/app:v1' }], ...uses('pull') } };
  api.put(jobs, { metadata: { namespace: 'ci', name: 'running', uid: 'r' }, spec: { template } });
  const { err } = await run('--include=jobs,secrets', '--confirm', move);
  t.match(err, /jobs\.batch\/running: its pull secrets have no login for old\.test\/app:v1, as that of pull/);
});

test('--keep-logins leaves the old login, and --add-logins takes the new one from a file', async (t) => {
  const { run, deploy, secret, hosts, file } = await loginRig(t);
  secret('pull', 'old.test', 'b.test');
  deploy('web', 'old.test/team/app:v1', uses('pull'));
  t.match(await run(...all, '--confirm', '--keep-logins', move), {
    code: 0,
    out: 'auths: old.test -> old.test and new.test',
  });
  t.same(hosts('pull'), ['new.test', 'old.test', 'b.test']);
  secret('pull', 'old.test');
  await writeFile(file('map.txt'), 'old.test/team/app:v1=far.test/mirror/app:v1\n');
  await writeFile(file('auth.json'), '{"auths":{"far.test/mirror":{"auth":"bmV3OnNlY3JldA=="}}}');
  const added = await run(...all, '--confirm', '--add-logins', file('auth.json'), '-f', file('map.txt'));
  t.match(added, { code: 0, out: 'auths: old.test -> old.test and far.test/mirror' });
  t.same(hosts('pull'), ['far.test/mirror', 'old.test']);
  t.notMatch(added.err, 'warning');
});

test('a file without logins is a mistake, whose text repeats nothing of it', async (t) => {
  const { run, file } = await loginRig(t);
  await writeFile(file('auth.json'), '{"auths":{"far.test":{"password":"secret"}}}');
  await t.rejects(run('--add-logins', file('auth.json'), move), { message: /auth\.json has no logins/ });
  await t.rejects(run('--add-logins', file('auth.json'), '--keep-logins', move), {
    message: /or --add-logins/,
  });
});

test('without the right to read secrets one line says that the look was not made', async (t) => {
  const { run, deploy, api } = await loginRig(t);
  api.switches.forbidden = ['secrets'];
  for (const name of ['a', 'b']) deploy(name, 'old.test/app:v1', uses('pull'));
  const { code, err } = await run('--include=deployments', move);
  t.equal(code, 0);
  t.equal(
    err.match(/info: whether pods have logins for what they name is not known everywhere: ci\/pull/g)?.length,
    1,
  );
});
