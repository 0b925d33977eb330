import { test } from 'tap';
import { costliest } from '../../../src/load/client/hit-class.ts';
import { hostHeader, isPrivateTarget, repositoryPath, urlOf } from '../../../src/load/client/target.ts';
import { nodesRig, pullOf } from './rig.ts';

const url = 'http://127.0.0.1:8400';

test('a mirror is named by ns, by host or by path', async (t) => {
  const ns = { url, mirrorOf: 'quay.io', mirrorBy: 'ns' } as const;
  t.equal(urlOf(ns, '/v2/team/app/manifests/v1').href, `${url}/v2/team/app/manifests/v1?ns=quay.io`);
  t.equal(urlOf(ns, '/v2/').href, `${url}/v2/`);
  t.equal(hostHeader({ url, mirrorOf: 'quay.io', mirrorBy: 'host' }), 'quay.io');
  t.equal(repositoryPath({ url, mirrorOf: 'quay.io', mirrorBy: 'path' }, 'team/app'), 'quay.io/team/app');
  t.equal(urlOf({ url: `${url}/base/` }, '/v2/').pathname, '/base/v2/');
});

test('only addresses of this machine and of private networks need no word', async (t) => {
  const isPrivate = (host: string) => isPrivateTarget({ url: `https://${host}` });
  t.ok(['127.0.0.1:5000', 'localhost', '10.1.2.3', '192.168.1.1', '[::1]', '[fd00::1]'].every(isPrivate));
  t.notOk(['quay.io', '8.8.8.8', 'registry.example.com', '127.0.0.1.example.com'].some(isPrivate));
});

test('an image has the class of the answer that cost most', async (t) => {
  t.equal(costliest(['memory', 'fill', 'store']), 'fill');
  t.equal(costliest(['memory', 'joined', 'store']), 'joined');
  t.equal(costliest(['none', 'none']), 'none');
});

test('a token is got once for a node, by the login of an auth file', async (t) => {
  const authFile = `${t.testdir({})}/auth.json`;
  const { registry, work } = await nodesRig(t, { client: 'plain' }, { authFile });
  const auth = Buffer.from('robot:secret').toString('base64');
  t.testdir({ 'auth.json': JSON.stringify({ auths: { [registry.host]: { auth } } }) });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { user: 'robot', password: 'secret' };
  await work(pullOf());
  t.equal(registry.seen('/token').length, 1);
  await work(pullOf(), 'b');
  t.equal(registry.seen('/token').length, 2);
});

test('the target that answers by name is asked at its address, and so is its token server', async (t) => {
  const { registry, work } = await nodesRig(t, { client: 'plain' }, { hostName: 'quay.test' });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { realm: 'http://quay.test/token' };
  await work(pullOf());
  t.ok(registry.requests.every(({ headers }) => headers.host === 'quay.test'));
});

test('redirects are followed, without the name of the target', async (t) => {
  const { registry, work } = await nodesRig(t, { client: 'plain' }, { hostName: 'quay.test' });
  registry.addImage('team/app', 'v1');
  registry.switches.redirectsBlobs = true;
  await work(pullOf());
  const elsewhere = registry.requests.filter(({ cdn }) => cdn);
  t.equal(elsewhere.length, 3);
  t.ok(elsewhere.every(({ headers }) => headers.host !== 'quay.test'));
});
