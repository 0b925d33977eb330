import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hash } from 'bcryptjs';
import { test } from 'tap';
import { badDay, temporary } from '../../bad-days/rig.ts';
import { accessRig, ciHost, sharingImage } from '../../support/access-rig.ts';
import { until } from '../../support/bodies.ts';

const people = {
  users: { 'sha256~alice': { username: 'alice', groups: ['readers'] } },
  bindings: [{ to: 'readers', namespace: 'ocp' }],
};
const path = '/v2/openshift/ci/manifests/ocp_4.20_cli';

test('a host that wants logins from now on refuses who has none, and a robot that is gone', async (t) => {
  const folder = await temporary(t, { secret: 'a secret of the test, of thirty-two bytes or more' });
  const file = (name: string) => join(folder, name);
  await writeFile(file('one'), `robot:${await hash('password', 4)}\n`);
  await writeFile(file('other'), `another:${await hash('password', 4)}\n`);
  const host = (htpasswd: string) => ({
    settings: {
      hosts: {
        '*': {
          auth: 'robots',
          robots: { htpasswdFile: file(htpasswd) },
          tokenSecretFile: file('secret'),
        },
      },
    },
  });
  const day = await badDay(t);
  t.equal((await day.get('manifests/tools')).status, 200);
  await day.reload(host('one'));
  t.equal((await day.get('manifests/tools')).status, 401);
  const basic = { authorization: `Basic ${btoa('robot:password')}` };
  const login = await fetch(`${day.url}/v2/auth?scope=repository:openshift/ci:pull`, { headers: basic });
  const { token } = (await login.json()) as { token: string };
  const asRobot = { headers: { authorization: `Bearer ${token}` } };
  t.equal((await day.get('manifests/tools', asRobot)).status, 200);
  await day.reload(host('other'));
  t.not((await day.get('manifests/tools', asRobot)).status, 200, 'its token is worth nothing');
  t.equal((await day.get('manifests/tools', { headers: basic })).status, 401);
});

test('a rule that lets fewer in decides the next request, whatever was allowed before', async (t) => {
  const ours = (rule: object) => ({
    rules: { ours: [{ name: 'all of it', repositories: 'quay\\.io/openshift/ci', ...rule }] },
  });
  const rig = await accessRig(t, {
    people,
    host: { access: 'ours' },
    settings: ours({ allow: true }),
  });
  sharingImage(rig.double, 'ocp_4.20_cli');
  const token = await rig.login('sha256~alice');
  t.equal((await rig.get(path, token)).status, 200);
  await rig.reload({ settings: ours({ refuse: true }) });
  t.equal((await rig.get(path, token)).status, 403);
  await rig.reload({ settings: ours({ allow: true }) });
  t.equal((await rig.get(path, token)).status, 200);
});

test('a change of rights asks the cluster again, and a change of nothing else does', async (t) => {
  const rig = await accessRig(t, { people });
  sharingImage(rig.double, 'ocp_4.20_cli');
  const token = await rig.login('sha256~alice');
  t.equal((await rig.get(path, token)).status, 200);
  const asked = () => rig.cluster.seen('SubjectAccessReview').length;
  const before = asked();
  await rig.reload({ settings: { limits: { read: { maxRunning: 7 } } } });
  t.equal((await rig.get(path, token)).status, 200);
  t.equal(asked(), before, 'the answer is remembered');
  await rig.reload({ settings: { rules: { others: [] } } });
  t.equal((await rig.get(path, token)).status, 200);
  t.equal(asked(), before + 1);
});

test('a cluster that is taken away gives no rights, though its logins were good', async (t) => {
  const rig = await accessRig(t, { people, host: { access: 'open' } });
  sharingImage(rig.double, 'ocp_4.20_cli');
  const token = await rig.login('sha256~alice');
  t.equal((await rig.get(path, token)).status, 200);
  await rig.reload({ settings: { clusters: {}, hosts: { [ciHost]: { auth: 'none' } } } });
  t.equal((await rig.get(path)).status, 200, 'the host as it is now');
});

test('a request that waits for its decision is answered by what held when it came', async (t) => {
  const rig = await accessRig(t, { people });
  sharingImage(rig.double, 'ocp_4.20_cli');
  const token = await rig.login('sha256~alice');
  rig.cluster.switches.isSlow = 300;
  const waiting = rig.get(path, token);
  await until(() => rig.cluster.seen('SubjectAccessReview').length === 1, 'a question');
  await rig.reload({ settings: { defaultUpstream: 'none', upstreams: {}, hosts: { '*': {} } } });
  t.equal((await waiting).status, 200);
  t.equal((await rig.get(path, token)).status, 404);
});

test('a token of one who did not log in ends with the setting that allowed it', async (t) => {
  const host = (anonymous: boolean) => ({ auth: 'cluster', upstream: 'quay.io', access: 'open', anonymous });
  const rig = await accessRig(t, { people, settings: { hosts: { [ciHost]: host(true) } } });
  sharingImage(rig.double, 'ocp_4.20_cli');
  const { token } = (await (await rig.get('/v2/auth')).json()) as { token: string };
  t.equal((await rig.get(path, token)).status, 200);
  await rig.reload({ settings: { hosts: { [ciHost]: host(false) } } });
  t.equal((await rig.get(path, token)).status, 401);
  await rig.reload({ settings: { hosts: { [ciHost]: host(true) } } });
  t.equal((await rig.get(path, token)).status, 200);
});

test('a request keeps what it came by, though two changes were taken over since', async (t) => {
  const rig = await accessRig(t, { people });
  sharingImage(rig.double, 'ocp_4.20_cli');
  const token = await rig.login('sha256~alice');
  rig.cluster.switches.isSlow = 300;
  const waiting = rig.get(path, token);
  await until(() => rig.cluster.seen('SubjectAccessReview').length === 1, 'a question');
  await rig.reload({ settings: { limits: { read: { maxRunning: 7 } } } });
  await rig.reload({
    settings: { clusters: {}, defaultUpstream: 'none', upstreams: {}, hosts: { '*': {} } },
  });
  t.equal((await waiting).status, 200);
});

test('what is remembered of operators is dropped too, though no host asks their cluster', async (t) => {
  const admin = { listen: '127.0.0.1:0', cluster: 'app.ci' };
  const rig = await accessRig(t, { people, settings: { hosts: { '*': {} }, admin } });
  const headers = { authorization: 'Bearer sha256~alice' };
  const looked = async (): Promise<number> => {
    await fetch(`http://${rig.service.adminAddress}/statusz`, { headers });
    return rig.cluster.seen('TokenReview').length;
  };
  t.equal(await looked(), 1);
  t.equal(await looked(), 1);
  rig.service.forget();
  t.equal(await looked(), 2);
});
