import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { type Test, test } from 'tap';
import type { Access, Subject } from '../../../src/auth/access.ts';
import { type ClusterGuardOptions, createClusterGuard } from '../../../src/auth/guards/cluster-guard.ts';
import { createBcrypt } from '../../../src/auth/robots/bcrypt.ts';
import { createKeptSubjects } from '../../../src/auth/tokens/kept-subjects.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const person: Subject = { name: 'person', groups: ['system:authenticated'], cluster: 'app.ci' };
const access: Access = { upstream: 'quay.io', repository: parseRepository('openshift/ci'), action: 'pull' };
const tag = parseTag('ocp_4.22_cli');
const basic = (name: string, password: string) =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const nowhere = () => undefined;

/**
 * A guard with robots `one` (password `right`) in an htpasswd file, and a cluster that knows
 * `sha256~person`.
 */
function guarded(t: Test, options: Partial<ClusterGuardOptions> & { readonly isDown?: boolean } = {}) {
  const htpasswdFile = join(t.testdir({ htpasswd: `one:${hashSync('right', 4)}\n` }), 'htpasswd');
  const real = createBcrypt();
  t.teardown(() => real.close());
  const compared: string[] = [];
  const reviewed: string[] = [];
  const ruled: Subject[] = [];
  const door = createClusterGuard({
    host: 'host',
    subjects: createKeptSubjects({ records: createMemoryStore().records }),
    authenticator: {
      authenticate(shown) {
        const token = shown.kind === 'basic' ? shown.password : shown.token;
        reviewed.push(token);
        if (options.isDown === true) throw new RegistryError('UNAVAILABLE', 'the cluster is down');
        return token === 'sha256~person' ? person : undefined;
      },
    },
    authorizer: {
      authorize(subject) {
        ruled.push(subject);
        return { allowed: true, rule: 'rules' };
      },
      visible: async (subject) => (subject.cluster === undefined ? [] : [tag]),
    },
    robots: {
      files: { htpasswdFile },
      bcrypt: {
        close: real.close,
        matches(password, hash) {
          compared.push(password);
          return real.matches(password, hash);
        },
      },
    },
    ...options,
  });
  return { door, compared, reviewed, ruled };
}

test('robots and people come in, by Basic, by Bearer, and by a token of ours', async (t) => {
  const { door } = guarded(t);
  t.match(await door.identify(basic('one', 'right')), { subject: { name: 'one', cluster: undefined } });
  t.match(await door.identify(basic('whatever', 'sha256~person')), { subject: person });
  t.match(await door.identify('Bearer sha256~person'), { subject: person });
  t.same(await door.identify(basic('one', 'wrong')), { refused: 'wrong' });
  for (const [name, password] of [
    ['one', 'right'],
    ['', 'sha256~person'],
  ] as const) {
    const granted = await door.grant({ username: name, password }, [], nowhere);
    const identity = await door.identify(`Bearer ${'token' in granted ? granted.token : ''}`);
    t.match(identity, { subject: 'subject' in granted ? granted.subject : {} });
  }
});

test('what looks like a token of a cluster costs no comparison with a robot', async (t) => {
  const { door, compared, reviewed } = guarded(t);
  await door.identify(basic('kube', 'admin:sha256~person'));
  await door.identify(basic('person', 'sha256~person'));
  t.same(compared, ['admin:sha256~person'], 'but for one that the cluster does not know');
  await door.identify(basic('one', 'right'));
  t.same(
    reviewed,
    ['admin:sha256~person', 'sha256~person'],
    "a robot's password is not shown to the cluster",
  );
});

test('a cluster that is down blocks no robot, and unreadable robots block no other subject', async (t) => {
  const { door: dark } = guarded(t, { isDown: true });
  t.match(await dark.identify(basic('one', 'right')), { subject: { name: 'one' } });
  await t.rejects(async () => dark.identify(basic('person', 'sha256~person')), { code: 'UNAVAILABLE' });
  const blind = { files: { htpasswdFile: join(t.testdirName, 'gone') }, bcrypt: createBcrypt() };
  const { door } = guarded(t, { robots: blind });
  t.match(await door.identify(basic('x', 'sha256~person')), { subject: person });
  await t.rejects(async () => door.identify(basic('one', 'right')), { code: 'UNAVAILABLE' });
});

test('robots and subjects of clusters are judged by their own rules only', async (t) => {
  const { door, ruled } = guarded(t);
  const robot = { name: 'one', groups: [] };
  t.match(await door.authorize(robot, access), { allowed: true, rule: 'robots' });
  t.match(await door.authorize({ ...person, name: 'one' }, access), { rule: 'rules' });
  t.same(ruled, [{ ...person, name: 'one' }]);
  t.match(await door.authorize({ name: 'person', groups: person.groups }, access), { allowed: false });
  t.same(await door.visible(robot, access, [tag]), [tag]);
  t.same(await door.visible(person, access, [tag]), [tag]);
});

test('where there are no robots any more, their tokens open nothing', async (t) => {
  const { authorize, visible } = createClusterGuard({
    host: 'host',
    subjects: createKeptSubjects({ records: createMemoryStore().records }),
    authenticator: { authenticate: () => person },
    authorizer: { authorize: () => ({ allowed: true }), visible: async (_s, _p, tags) => tags },
  });
  const robot = { name: 'one', groups: [] };
  t.match(await authorize(robot, access), { allowed: false, reason: 'this robot is no longer configured' });
  t.same(await visible(robot, access, [tag]), []);
});

test('without a login the token is for the anonymous subject, if the host allows it', async (t) => {
  for (const login of [
    { authorization: undefined },
    { authorization: 'Basic Og==' },
    { username: '', password: '' },
  ]) {
    t.same(await guarded(t).door.grant(login, [], nowhere), { refused: 'absent' });
    const { door } = guarded(t, { anonymousCluster: 'app.ci' });
    const granted = await door.grant(login, [], nowhere);
    const nobody = { name: 'system:anonymous', groups: ['system:unauthenticated'], cluster: 'app.ci' };
    t.match(await door.identify(`Bearer ${'token' in granted ? granted.token : ''}`), { subject: nobody });
    t.same(
      await door.identify(undefined),
      { refused: 'absent' },
      'a pull needs the token, or no client logs in',
    );
  }
});

test('a wrong login does not become the anonymous subject', async (t) => {
  const { door } = guarded(t, { anonymousCluster: 'app.ci' });
  t.same(await door.grant({ authorization: basic('one', 'wrong') }, [], nowhere), { refused: 'wrong' });
  t.same(await door.grant({ authorization: 'Basic' }, [], nowhere), { refused: 'malformed' });
});
