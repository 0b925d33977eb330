import { test } from 'tap';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { until } from '../../support/bodies.ts';
import { imageStreamDouble } from '../../support/image-stream-double.ts';
import { digestOf, indexRig, promoted, qci } from './rig.ts';

const [a, b, c] = [digestOf('a'), digestOf('b'), digestOf('c')];

test('the index is syncing, then synced, and follows what changes', async (t) => {
  const { api, index, tagsOf, states, told } = await indexRig(t);
  api.putObject('ocp/4.5', promoted('base', a));
  t.equal(index.state, 'syncing');
  t.same(tagsOf(a), []);
  index.start();
  await until(() => index.state === 'synced' && api.watches === 1);
  t.same(tagsOf(a), ['ocp/4.5:base']);
  t.same(states(), ['syncing', 'synced']);
  t.match(told.streamsListed, [{ cluster: 'app.ci', reason: 'start', streams: 1, tags: 1, changed: 1 }]);
  const changes: string[] = [];
  index.subscribe(({ namespace, name }) => changes.push(`${namespace}/${name}`));
  api.putObject('ocp/4.5', promoted('base', b));
  api.putObject('own/app', promoted('mine', a));
  await until(() => changes.length === 2);
  t.same(changes, ['ocp/4.5', 'own/app']);
  t.same([tagsOf(a), tagsOf(b)], [['own/app:mine', 'ocp/4.5:base'], ['ocp/4.5:base']]);
  t.type(index.naming(qci, a)[1]?.until, 'number');
  api.remove('own/app');
  await until(() => changes.length === 3);
  t.same(tagsOf(a), ['ocp/4.5:base']);
  t.match(told.streamsSized.at(-1), { cluster: 'app.ci', streams: 1, references: 2, digests: 2 });
  t.same(told.streamsFollowed, [{ cluster: 'app.ci' }]);
  t.same(told.streamsLeft, []);
  await index.close();
  await index.close();
  t.same(told.streamsLeft, [{ cluster: 'app.ci' }]);
});

test('nothing is asked while nothing changes, nor when streams change', async (t) => {
  const { api, clock, index, tagsOf } = await indexRig(t);
  for (let at = 0; at < 50; at += 1) api.putObject(`ocp/${at}`, promoted('base', a));
  index.start();
  await until(() => index.state === 'synced' && api.watches === 1);
  const asked = api.requests.length;
  t.same(
    api.requests.map(({ query }) => query.get('watch') ?? 'list'),
    ['list', 'true'],
  );
  for (let at = 0; at < 50; at += 1) api.putObject(`ocp/${at}`, promoted('base', b));
  await until(() => tagsOf(b).length === 50);
  const looking = index.look(qci, b);
  await clock.pass(1_000);
  await looking;
  t.equal(api.requests.length, asked);
});

test('one namespace after the other: all must be listed', async (t) => {
  const { api, index, tagsOf, told } = await indexRig(t, { namespaces: ['ocp', 'origin'] });
  for (const key of ['ocp/4.5', 'origin/4.5', 'own/app']) api.putObject(key, promoted('base', a));
  index.start();
  await until(() => index.state === 'synced' && api.watches === 2);
  t.same(tagsOf(a).toSorted(), ['ocp/4.5:base', 'origin/4.5:base']);
  t.same(told.streamsListed.map(({ namespace }) => namespace).toSorted(), ['ocp', 'origin']);
  t.ok(api.requests.every(({ path }) => path.includes('/namespaces/')));
});

test('when the cluster is gone, what is known counts for staleMs', async (t) => {
  const { api, clock, index, tagsOf, states, told } = await indexRig(t, { staleMs: 60_000 });
  api.putObject('ocp/4.5', promoted('base', a));
  index.start();
  await until(() => index.state === 'synced' && api.watches === 1);
  api.switches.answersStatus = 503;
  api.cutWatches();
  await until(() => index.state === 'stale');
  t.same(tagsOf(a), ['ocp/4.5:base']);
  t.match(told.streamsFailed[0], { cluster: 'app.ci', error: { status: 503 } });
  await clock.pass(59_999);
  t.equal(index.state, 'stale');
  await clock.pass(1);
  t.equal(index.state, 'expired');
  t.same(tagsOf(a), []);
  t.match(await index.look(qci, a), { named: [], untold: /not known now \(expired\)/ });
  delete api.switches.answersStatus;
  await until(() => index.state === 'synced');
  t.same(tagsOf(a), ['ocp/4.5:base']);
  t.same(states(), ['syncing', 'synced', 'stale', 'expired', 'synced']);
});

test('a version that the server forgot makes the index stale until all is listed again', async (t) => {
  const { api, index, states, tagsOf } = await indexRig(t);
  api.putObject('ocp/4.5', promoted('base', a));
  index.start();
  await until(() => index.state === 'synced' && api.watches === 1);
  api.switches.forgets = 'event';
  api.cutWatches();
  await until(() => states().includes('stale'));
  api.putObject('ocp/4.5', promoted('base', b));
  delete api.switches.forgets;
  await until(() => index.state === 'synced' && tagsOf(b).length === 1);
  t.same(tagsOf(b), ['ocp/4.5:base']);
});

test('a refused list leaves the index syncing, and is asked again', async (t) => {
  const { api, index, told } = await indexRig(t);
  api.switches.answersStatus = 403;
  index.start();
  await until(() => told.streamsFailed.length > 2);
  t.equal(index.state, 'syncing');
  delete api.switches.answersStatus;
  await until(() => index.state === 'synced');
});

test('a look waits for what the watch is about to tell, and not twice in 30 s', async (t) => {
  const { api, clock, index, told } = await indexRig(t);
  index.start();
  await until(() => index.state === 'synced' && api.watches === 1);
  const looking = index.look(qci, a);
  const other = index.look({ ...qci, repository: parseRepository('openshift/other') }, a);
  api.putObject('ocp/4.5', promoted('base', a));
  t.match(await looking, { named: [{ namespace: 'ocp', name: '4.5', tag: 'base' }], untold: undefined });
  await clock.pass(1_000);
  t.same(await other, { named: [], untold: undefined });
  const unknown = index.look(qci, b);
  await clock.pass(999);
  t.equal(clock.running > 1, true);
  await clock.pass(1);
  t.same((await unknown).named, []);
  t.same(await index.look(qci, b), { named: [], untold: undefined }, 'at once');
  const known = index.look(qci, a);
  await clock.pass(999);
  t.equal(told.streamLooked.length, 4, 'the time says nothing of whether a digest is known');
  await clock.pass(1);
  t.match(await known, { named: [{ tag: 'base' }] });
  api.putObject('own/app', promoted('mine', b));
  await until(() => index.naming(qci, b).length > 0);
  t.match((await index.look(qci, b)).named, [{ tag: 'mine' }], 'though it was unknown before');
  t.same(
    told.streamLooked.map(({ result }) => result),
    ['found', 'unknown', 'unknown', 'remembered', 'known', 'known'],
  );
});

test('a look at a known digest waits for another stream that is about to name it', async (t) => {
  const { api, index, tagsOf } = await indexRig(t);
  api.putObject('ocp-priv/4.5', promoted('base', a));
  index.start();
  await until(() => index.state === 'synced' && api.watches === 1 && tagsOf(a).length === 1);
  const looking = index.look(qci, a);
  api.putObject('ocp/4.5', promoted('base', a));
  t.equal((await looking).named.length, 2);
});

test('looks do not pile up, and end when the index is closed', async (t) => {
  const { api, index, told, close } = await indexRig(t);
  index.start();
  await until(() => index.state === 'synced' && api.watches === 1);
  const numbered = (at: number) => parseDigest(`sha256:${at.toString(16).padStart(64, '0')}`);
  const looks = Array.from({ length: 1_001 }, (_, at) => index.look(qci, numbered(at)));
  t.match(await looks.at(-1), { named: [], untold: /^too many digests are looked for now/ });
  t.match(told.streamLooked, [{ result: 'unasked' }]);
  await close();
  t.ok((await Promise.all(looks)).every(({ named }) => named.length === 0));
});

test('where there was no room for all streams, the index says that it cannot tell', async (t) => {
  const { api, clock, index } = await indexRig(t, { maxReferences: 8 });
  for (const name of ['one', 'two']) api.putObject(`own/${name}`, promoted('base', a));
  index.start();
  await until(() => index.state === 'synced' && api.watches === 1);
  t.match(index.untold, /the image streams of cluster app\.ci are more than this process keeps/);
  const looking = index.look(qci, b);
  await clock.pass(1_000);
  t.match(await looking, { named: [], untold: index.untold });
  api.remove('own/two');
  await until(() => index.untold === undefined);
});

test('trust changes while running, and those who asked are told', async (t) => {
  const { api, index } = await indexRig(t, { trusted: ['ocp', 'origin'] });
  for (const key of ['ocp/4.5', 'origin/4.5', 'own/app']) api.putObject(key, promoted('base', a));
  index.start();
  await until(() => index.state === 'synced');
  t.same(
    ['ocp', 'origin', 'own'].map((namespace) => index.isTrusted(namespace)),
    [true, true, false],
  );
  const changes: string[] = [];
  index.subscribe(({ namespace, name }) => changes.push(`${namespace}/${name}`));
  index.trust(['ocp', 'own']);
  t.same(
    ['ocp', 'origin', 'own'].map((namespace) => index.isTrusted(namespace)),
    [true, false, true],
  );
  t.same(new Set(changes), new Set(['origin/4.5', 'own/app']));
});

test('a replica that starts knows what is kept, as syncing, and not past staleMs', async (t) => {
  const { records } = createMemoryStore();
  const time = { now: Date.now() };
  const now = () => time.now;
  const first = await indexRig(t, { records, now });
  first.api.putObject('ocp/4.5', promoted('base', a));
  first.api.putObject('own/app', promoted('mine', b));
  first.index.start();
  await until(() => first.index.state === 'synced' && first.api.watches === 1);
  await first.close();
  first.api.remove('own/app');
  first.api.putObject('ocp/4.5', promoted('base', c));
  first.api.switches.answersStatus = 503;
  time.now += 59_999;
  const second = await indexRig(t, { api: first.api, records, now });
  second.index.start();
  await until(() => second.told.streamsFailed.length > 0);
  t.equal(second.index.state, 'syncing');
  t.same([second.tagsOf(a), second.tagsOf(b)], [['ocp/4.5:base'], ['own/app:mine']]);
  time.now += 1;
  t.same([second.tagsOf(a), second.tagsOf(b)], [[], []]);
  delete first.api.switches.answersStatus;
  await until(() => second.index.state === 'synced');
  t.same([second.tagsOf(a), second.tagsOf(b), second.tagsOf(c)], [['ocp/4.5:base'], [], ['ocp/4.5:base']]);
  t.same(second.told.streamsKept.slice(0, 1), [{ cluster: 'app.ci', operation: 'read', outcome: 'done' }]);
});

test('records that are too old, of other settings, broken or out of reach leave the index blind', async (t) => {
  const { records } = createMemoryStore();
  const time = { now: Date.now() };
  const now = () => time.now;
  const first = await indexRig(t, { records, now });
  first.api.putObject('ocp/4.5', promoted('base', a));
  first.index.start();
  await until(() => first.index.state === 'synced');
  await first.close();
  first.api.switches.answersStatus = 503;

  async function kept(options: Parameters<typeof indexRig>[1]) {
    const rig = await indexRig(t, { api: first.api, records, now, ...options });
    rig.index.start();
    await until(() => rig.told.streamsFailed.length > 0);
    const known = rig.tagsOf(a);
    await rig.close();
    return { known, outcomes: rig.told.streamsKept.map(({ outcome }) => outcome) };
  }

  t.same(await kept({}), { known: ['ocp/4.5:base'], outcomes: ['done'] });
  t.same(await kept({ settings: 'other' }), { known: [], outcomes: ['absent'] });
  t.same(await kept({ staleMs: 0 }), { known: [], outcomes: ['absent'] });
  const failing = { ...records, get: () => Promise.reject(new Error('the store is gone')) };
  t.same(await kept({ records: failing }), { known: [], outcomes: ['failed'] });
  for await (const { key } of records.list('v1/streams/'))
    if (!key.endsWith('/head')) await records.put(key, Buffer.from('broken'));
  t.same(await kept({}), { known: [], outcomes: ['broken', 'done'] });
  await records.put('v1/streams/app.ci/head', Buffer.from('{'));
  t.same(await kept({}), { known: [], outcomes: ['broken', 'absent'] });
});

test('what other settings have kept never comes back under these, also after a second restart', async (t) => {
  const { records } = createMemoryStore();
  const wide = { 'quay-proxy.example': undefined };
  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  api.putObject('ocp/4.5', promoted('base', a));

  async function ran(settings: string, names: Readonly<Record<string, undefined>>) {
    const rig = await indexRig(t, { api, records, settings, names });
    rig.index.start();
    await until(() => rig.index.state === 'synced');
    const known = rig.tagsOf(a);
    await rig.close();
    return known;
  }

  t.same(await ran('wide', wide), ['ocp/4.5:base']);
  t.same(await ran('narrow', {}), []);
  t.same(await ran('narrow', {}), [], 'neither as named now nor as named before');
});

test('replicas write a change once, and a stream made anew has no past from the records', async (t) => {
  const { records } = createMemoryStore();
  const first = await indexRig(t, { records });
  first.api.putObject('ocp/4.5', promoted('base', a));
  const second = await indexRig(t, { api: first.api, records });
  const writes = (rig: typeof first) =>
    rig.told.streamsKept.filter(({ operation }) => operation === 'write').map(({ outcome }) => outcome);
  first.index.start();
  await until(() => writes(first).length === 1);
  second.index.start();
  await until(() => second.index.state === 'synced' && first.api.watches === 2);
  first.api.putObject('ocp/4.5', promoted('base', b));
  await until(() => first.tagsOf(b).length === 1 && second.tagsOf(b).length === 1);
  await first.clock.pass(60_000);
  await until(() => writes(first).length === 2);
  await second.clock.pass(60_000);
  await until(() => writes(second).length === 1);
  t.same([writes(first), writes(second)], [['done', 'done'], ['shared']]);
  await first.close();
  await second.close();
  first.api.remove('ocp/4.5');
  first.api.putObject('ocp/4.5', promoted('base', c));
  const third = await indexRig(t, { api: first.api, records });
  third.index.start();
  await until(() => third.index.state === 'synced');
  t.same([third.tagsOf(a), third.tagsOf(b), third.tagsOf(c)], [[], [], ['ocp/4.5:base']]);
});
