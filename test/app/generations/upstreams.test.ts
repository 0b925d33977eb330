import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { stringify } from 'yaml';
import { load } from '../../../src/config/load.ts';
import { badDay, layerBytes } from '../../bad-days/rig.ts';
import { until } from '../../support/bodies.ts';
import { helperProgram } from '../../support/helper-program.ts';
import { registryDouble } from '../../support/registry-double.ts';

test('an upstream that is added is served, and one that is removed is unknown', async (t) => {
  const day = await badDay(t);
  const other = await registryDouble();
  t.teardown(() => other.close());
  other.addImage('team/app', 'v1');
  const path = '/v2/other.example/team/app/manifests/v1';
  t.equal((await fetch(`${day.url}${path}`)).status, 404);

  const own = { url: other.url, allowPrivateAddresses: true };
  await day.reload({ settings: { defaultUpstream: 'other.example', upstreams: { 'other.example': own } } });
  t.equal((await fetch(`${day.url}${path}`)).status, 200);
  const gone = await fetch(`${day.url}/v2/quay.io/openshift/ci/manifests/tools`);
  t.equal(gone.status, 404);
  t.match(await gone.text(), /NAME_UNKNOWN/);
});

test('a pull of an upstream that is removed goes on to its end, and then its connections close', async (t) => {
  const day = await badDay(t);
  day.double.switches.bytesPerSecond = 400_000;
  const answer = await day.getLayer();
  const reader = answer.body?.getReader();
  const first = await reader?.read();
  let bytes = first?.value?.byteLength ?? 0;
  await day.reload({ settings: { defaultUpstream: 'none', upstreams: {} } });
  t.equal((await day.get('manifests/tools')).status, 404, 'for requests to come it is gone');
  t.ok(day.double.connections.open > 0);
  for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read())
    bytes += next.value.byteLength;
  t.equal(bytes, layerBytes);
  await until(() => day.double.connections.open === 0, 'no connection to the upstream');
});

test('a download that no client waits for any more is stored, although its upstream was removed', async (t) => {
  const day = await badDay(t);
  day.double.switches.bytesPerSecond = 400_000;
  const leaving = new AbortController();
  const answer = await day.getLayer({ signal: leaving.signal });
  await answer.body?.getReader().read();
  leaving.abort();
  await day.reload({ settings: { defaultUpstream: 'none', upstreams: {} } });
  await until(
    async () => /quayside_fills_total\{outcome="stored"\} 1/.test(await day.metrics()),
    'a stored blob',
  );
});

test('what no setting changed keeps its connections, and an upstream that changed has new ones', async (t) => {
  const day = await badDay(t);
  await (await day.get('manifests/tools')).arrayBuffer();
  const opened = day.double.connections.opened;
  await day.reload({ settings: { limits: { read: { maxRunning: 7 } } } });
  await (await day.getLayer()).arrayBuffer();
  t.ok(day.double.connections.opened <= opened + 1, 'at most that of the download');
  const before = day.double.connections.opened;
  await day.reload({ upstream: { maxRedirects: 1 } });
  t.equal((await day.get('manifests/other')).status, 404);
  t.equal(day.double.connections.opened, before + 1);
});

test('a repository that is taken off the list is refused, and what is under way is not', async (t) => {
  const day = await badDay(t);
  day.double.switches.bytesPerSecond = 400_000;
  const answer = await day.getLayer();
  await day.reload({ upstream: { repositories: ['team/*'] } });
  t.equal((await day.get('manifests/tools')).status, 404);
  t.equal((await answer.arrayBuffer()).byteLength, layerBytes);
});

test('how long a tag is believed changes with the settings', async (t) => {
  const day = await badDay(t, { settings: { tags: { freshMs: '1h' } } });
  const asked = () => day.double.seen('manifests/tools').length;
  for (let count = 0; count < 2; count += 1) await (await day.get('manifests/tools')).arrayBuffer();
  t.equal(asked(), 1);
  await day.reload({ settings: { tags: { freshMs: 0, refreshBehindMs: 0 } } });
  await (await day.get('manifests/tools')).arrayBuffer();
  t.equal(asked(), 2);
});

test('conditions are those of the upstreams in force', async (t) => {
  const day = await badDay(t);
  const named = async () => {
    const answer = await fetch(`http://${day.service.adminAddress}/statusz`);
    return [...(await answer.text()).matchAll(/UpstreamReachable (\S+)/g)].map(([, name]) => name);
  };
  t.same(await named(), ['quay.io']);
  const other = { url: day.double.url, allowPrivateAddresses: true };
  await day.reload({ settings: { defaultUpstream: 'none', upstreams: { 'other.example': other } } });
  t.same(await named(), ['other.example']);
});

test('an upstream that is asked in another way has no open breaker of before', async (t) => {
  const day = await badDay(t, { upstream: { breaker: { failures: 1, openMs: '1h' }, retries: 0 } });
  const states = async () =>
    [...(await day.metrics()).matchAll(/quayside_upstream_breaker_state{.*state="([^"]+)"} 1/g)].map(
      ([, state]) => state,
    );
  day.double.switches.down = true;
  await until(async () => {
    t.ok((await day.get('manifests/tools')).status >= 500);
    return (await states()).includes('open');
  }, 'an open breaker');
  day.double.switches.down = false;
  await day.reload({ upstream: { breaker: { failures: 2, openMs: '1h' } } });
  t.same(await states(), ['closed']);
  t.equal((await day.get('manifests/tools')).status, 200);
});

test('limits grow and shrink under what runs', async (t) => {
  const none = { maxInQueue: 0, maxWaitInQueueMs: '1s' };
  const day = await badDay(t, { settings: { limits: { blobs: { maxRunning: 1, ...none } } } });
  day.double.switches.bytesPerSecond = 400_000;
  const first = await day.getLayer();
  t.equal((await day.getLayer()).status, 429);
  await day.reload({ settings: { limits: { blobs: { maxRunning: 3, ...none } } } });
  const second = await day.getLayer();
  t.equal(second.status, 200);
  await day.reload({ settings: { limits: { blobs: { maxRunning: 1, ...none } } } });
  t.equal((await day.getLayer()).status, 429);
  for (const each of [first, second]) t.equal((await each.arrayBuffer()).byteLength, layerBytes);
  // Read to its end: a client that does not keeps its connection.
  t.equal((await (await day.getLayer()).arrayBuffer()).byteLength, layerBytes);
});

test('the client that a proxy names counts from the change on', async (t) => {
  const day = await badDay(t);
  const named = { headers: { 'x-forwarded-for': '10.1.2.3' } };
  const clients = () => day.log.flatMap(({ msg, client }) => (msg === 'request' ? [client] : []));
  await (await day.get('manifests/tools', named)).arrayBuffer();
  await day.reload({ settings: { trustedProxies: ['127.0.0.1/32'] } });
  await (await day.get('manifests/tools', named)).arrayBuffer();
  await until(() => clients().length === 2, 'two lines');
  t.same(clients(), ['127.0.0.1', '10.1.2.3']);
});

test('one part that cannot be made leaves all as it was', async (t) => {
  const day = await badDay(t);
  const before = await day.look();
  await t.rejects(
    day.reload({
      upstream: { repositories: ['team/*'] },
      settings: {
        limits: { read: { maxRunning: 1, maxInQueue: 0 } },
        clusters: { there: { kubeconfigFile: '/nowhere/kubeconfig' } },
      },
    }),
  );
  t.equal((await day.get('manifests/tools')).status, 200);
  t.same(
    (await day.look()).map(({ type, name }) => [type, name]),
    before.map(({ type, name }) => [type, name]),
  );
});

test('helpers that change are used for the next request, and upstreams connect anew', async (t) => {
  const says = { ServerURL: 'quay.io', Username: 'robot', Secret: 'of-a-helper' };
  const { directory } = helperProgram(t.testdir(), 'docker-credential-tool', { says });
  const authFile = join(t.testdirName, 'auth.json');
  await writeFile(authFile, JSON.stringify({ credsStore: 'tool' }));
  const day = await badDay(t, { upstream: { credentials: { authFile } } });
  day.double.switches.requiresBasic = { user: 'robot', password: 'of-a-helper' };
  t.not((await day.get('manifests/tools')).status, 200, 'no helper is allowed');
  await day.reload({
    upstream: { credentials: { authFile } },
    settings: { credentialHelpers: { directories: [directory] } },
  });
  t.equal((await day.get('manifests/tools')).status, 200);
});

test('a configuration that was made is not in force until it is taken, and leaves nothing when it is not', async (t) => {
  const day = await badDay(t);
  const other = { url: day.double.url, allowPrivateAddresses: true };
  const changed = load(
    stringify({ defaultUpstream: 'none', upstreams: { other }, store: { memory: {} } }),
    {},
  );
  const prepared = await day.service.prepare(changed);
  t.equal((await day.get('manifests/tools')).status, 200);
  const next = day.service.prepare(changed);
  await prepared.discard();
  t.throws(() => prepared.take(), 'it is decided');
  t.equal((await day.get('manifests/tools')).status, 200);
  (await next).take();
  t.equal((await day.get('manifests/tools')).status, 404);
});

test('a configuration that is made when the service ends is dropped', async (t) => {
  const day = await badDay(t);
  const changed = load('defaultUpstream: none\nupstreams: {}\nstore: { memory: {} }', {});
  const prepared = await day.service.prepare(changed);
  const waiting = day.service.prepare(changed);
  const late = t.rejects(waiting, { message: 'the service is shutting down' });
  await day.stop();
  await late;
  t.throws(() => prepared.take(), { message: 'the service is shutting down' });
});
