import { type Test, test } from 'tap';
import { accessRig, ciRepository, sharingImage } from '../../support/access-rig.ts';

const publicTag = 'ocp_4.20_cli';
const privateTag = 'ocp-priv_4.20_cli';
const alicesToken = 'sha256~alices-token-of-the-cluster';

/** Alice may read `ocp` and not `ocp-priv`; one image of each is known. */
async function stage(t: Test, host: Readonly<Record<string, unknown>> = {}) {
  const users = { [alicesToken]: { username: 'alice', groups: ['ocp-readers'] } };
  const bindings = [{ to: 'ocp-readers', namespace: 'ocp' }];
  const rig = await accessRig(t, { people: { users, bindings }, host });
  const open = sharingImage(rig.double, publicTag);
  const hidden = sharingImage(rig.double, privateTag);
  return Object.assign(rig, { open, hidden, alice: await rig.login(alicesToken) });
}

test('rights by digest hold for blobs that bypass the cache', async (t) => {
  const { get, double, open, hidden, alice } = await stage(t, { blobs: 'bypass' });
  double.switches.redirectsBlobs = true;
  t.equal((await get(`/v2/${ciRepository}/manifests/${publicTag}`, alice)).status, 200);
  const statusOf = async (digest: string) => (await get(`/v2/${ciRepository}/blobs/${digest}`, alice)).status;
  t.equal(await statusOf(open.layer), 302);
  t.equal(await statusOf(open.shared), 302);
  t.equal(await statusOf(hidden.layer), 403);
  t.equal(await statusOf(hidden.config), 403);
  t.equal(double.seen(hidden.layer).length, 0, 'nor is the upstream asked');
});

test('a walk through the list tag by tag meets what may be pulled, and no other name', async (t) => {
  const { get, alice } = await stage(t);
  const shown: string[] = [];
  let path: string | undefined = `/v2/${ciRepository}/tags/list?n=1`;
  for (let pages = 0; path !== undefined && pages < 5; pages += 1) {
    const response: Response = await get(path, alice);
    const link: string = response.headers.get('link') ?? '';
    shown.push(await response.text(), link);
    path = /^<([^>]+)>/.exec(link)?.[1];
  }
  t.equal(path, undefined, 'the list ends');
  t.match(shown.join(), publicTag);
  t.notMatch(shown.join(), privateTag);
});

test('what is remembered of rights is forgotten at once when an operator says so', async (t) => {
  const { get, service, cluster, alice } = await stage(t);
  const path = `/v2/${ciRepository}/manifests/${publicTag}`;
  await get(path, alice);
  await get(path, alice);
  const asked = cluster.requests.length;
  await fetch(`http://${service.adminAddress}/access/forget`, { method: 'POST' });
  t.equal((await get(path, alice)).status, 200);
  t.ok(cluster.requests.length > asked);
});
