import { test } from 'tap';
import { mannersOf } from '../../../src/load/client/manners.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { kindOf, nodesRig, pullOf } from './rig.ts';

test('podman pings, asks for the tag, then for config and layers', async (t) => {
  const { registry, recorder, work, asked } = await nodesRig(t);
  const image = registry.addImage('team/app', 'v1', { layers: [3_000, 50_000] });
  await work(pullOf());
  const [ping, manifest, ...blobs] = asked();
  t.same([ping, manifest], ['GET', 'GET team/app/manifests/v1']);
  t.equal(new Set(blobs).size, 3);
  const { requests, bytes, latencies, distinct } = recorder.part();
  t.equal(requests, 5);
  t.ok(bytes.received > 53_000);
  t.equal(bytes.verified, bytes.received);
  t.equal(Object.keys(distinct).length, 4);
  t.ok(image.digest in distinct);
  t.same(
    latencies.map(({ measure, class: hit, count }) => `${measure} ${hit} ${count}`),
    ['firstByte none 4', 'manifest none 1', 'layer none 3', 'image none 1'],
  );
});

test('containerd resolves a tag by HEAD and then asks by digest', async (t) => {
  const { registry, work, asked } = await nodesRig(t, { client: 'containerd' });
  const { digest } = registry.addImage('team/app', 'v1');
  await work(pullOf());
  t.same(asked().slice(0, 2), [
    'HEAD team/app/manifests/v1',
    `GET team/app/manifests/${digest.slice(0, 11)}`,
  ]);
});

test('of an index the manifest of the platform is pulled', async (t) => {
  const { registry, recorder, work } = await nodesRig(t, { client: 'plain' });
  const arm = registry.addImage('team/app', 'arm', { layers: [10] });
  const amd = registry.addImage('team/app', 'amd', { layers: [20, 30] });
  const entry = (digest: string, architecture: string) => {
    return { mediaType: mediaTypes.ociManifest, digest, size: 1, platform: { os: 'linux', architecture } };
  };
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [entry(arm.digest, 'arm64'), entry(amd.digest, 'amd64')],
  };
  registry.addManifest('team/app', Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, 'v1');
  await work(pullOf());
  t.ok(amd.digest in recorder.part().distinct);
  t.notOk(arm.digest in recorder.part().distinct);
  t.equal(registry.seen('/blobs/').length, 3);
});

test('wrong bytes of a blob are told with their URL, and those of a manifest fail the pull', async (t) => {
  const { registry, recorder, work } = await nodesRig(t, { client: 'plain' });
  const { layers } = registry.addImage('team/app', 'v1', { layers: [5_000] });
  const [layer] = layers;
  if (layer !== undefined) registry.addBlob('team/app', Buffer.alloc(5_000), layer.digest);
  await work(pullOf());
  const { bytes, wrongContent, errors } = recorder.part();
  t.equal(bytes.wrong, 5_000);
  t.match(wrongContent, [{ digest: layer?.digest, bytes: 5_000 }]);
  t.same(
    errors.map(({ kind, count }) => `${count} ${kind}`),
    ['1 wrong bytes'],
  );
  registry.switches.servesWrongBytes = true;
  t.match(await kindOf(work(pullOf())), 'wrong bytes');
});

test('wrong bytes that a client put together of two answers are told apart', async (t) => {
  const { registry, recorder, work } = await nodesRig(t, { client: 'containerd' });
  const { layers } = registry.addImage('team/app', 'v1', { layers: [100_000] });
  const [layer] = layers;
  if (layer !== undefined) registry.addBlob('team/app', Buffer.alloc(100_000), layer.digest);
  registry.switches.dropsAfter = { bytes: 40_000, times: 1 };
  await work(pullOf());
  t.match(recorder.part().wrongContent, [{ digest: layer?.digest, bytes: 100_000, resumes: 1 }]);
});

test('a broken body is resumed by a range, and given up where the client would', async (t) => {
  const { registry, recorder, work } = await nodesRig(t, { client: 'containerd' });
  registry.addImage('team/app', 'v1', { layers: [100_000] });
  registry.switches.dropsAfter = { bytes: 40_000, times: 1 };
  await work(pullOf());
  t.ok(registry.requests.some(({ headers }) => headers.range === 'bytes=40000-'));
  t.equal(recorder.part().retries, 1);
  t.equal(recorder.part().bytes.wrong, 0);
  const plain = await nodesRig(t, { client: 'plain' });
  plain.registry.addImage('team/app', 'v1', { layers: [100_000] });
  plain.registry.switches.dropsAfter = { bytes: 40_000, times: 1 };
  t.match(await kindOf(plain.work(pullOf())), 'cut');
});

test('statuses are told by number, after the tries of the client', async (t) => {
  const { registry, recorder, work } = await nodesRig(t, { client: 'containerd' });
  registry.addImage('team/app', 'v1');
  registry.switches.throttles = 3;
  await work(pullOf());
  t.equal(recorder.part().retries, 3);
  registry.switches.status = { of: 'blobs', code: 503 };
  t.match(await kindOf(work(pullOf())), 'status 503');
  registry.switches.down = true;
  t.match(await kindOf(work(pullOf())), /^network/);
});

test('podman waits as long as Retry-After says, 60 s at most, and else longer each time', async (t) => {
  const { pauseAfter } = mannersOf('podman');
  t.same(
    [1, 2, 3, 4, 5].map((tries) => pauseAfter(429, tries, undefined)),
    [2_000, 4_000, 8_000, 16_000, undefined],
  );
  t.same([pauseAfter(429, 1, 7), pauseAfter(429, 1, 300)], [7_000, 60_000]);
  t.same(
    [pauseAfter(503, 1, 30), pauseAfter(503, 2, undefined), pauseAfter(404, 1, undefined)],
    [1_000, undefined, undefined],
  );
});

test('a node that keeps what it pulled asks for its manifest only', async (t) => {
  const { registry, work } = await nodesRig(t, { client: 'plain', isForgetful: false });
  registry.addImage('team/app', 'v1');
  await work(pullOf());
  await work(pullOf());
  t.equal(registry.seen('/blobs/').length, 3);
  await work(pullOf(), 'b');
  t.equal(registry.seen('/blobs/').length, 6);
});

test('a lazy puller reads the end of each layer and then parts of it', async (t) => {
  const { registry, recorder, work } = await nodesRig(t, { client: 'plain' });
  registry.addImage('team/app', 'v1', { layers: [90_000] });
  const pull = { repository: parseRepository('team/app'), reference: parseReference('v1') };
  await work({ kind: 'lazy', ...pull, ranges: 3, rangeBytes: 1_000, seed: 1 });
  const ranges = registry.requests.flatMap(({ headers }) => headers.range ?? []);
  t.ok(ranges.includes('bytes=89000-89999'));
  t.equal(ranges.length, 4, 'the config has one');
  const measured = recorder.part().latencies.find(({ measure }) => measure === 'range');
  t.equal(measured?.count, 4);
});

test('a request of a trace is checked by the digest in its path', async (t) => {
  const { registry, recorder, work } = await nodesRig(t, { client: 'plain' });
  const image = registry.addImage('team/app', 'v1', { layers: [5_000] });
  const digest = image.layers[0]?.digest ?? '';
  await work({ kind: 'request', method: 'GET', path: `/v2/team/app/blobs/${digest}` });
  await work({ kind: 'request', method: 'HEAD', path: '/v2/team/app/manifests/v1' });
  const range = { start: 10, end: 19 };
  await work({ kind: 'request', method: 'GET', path: `/v2/team/app/blobs/${digest}`, range });
  const { bytes, latencies } = recorder.part();
  t.same([bytes.received, bytes.verified], [5_010, 5_000]);
  t.same(
    latencies.filter(({ measure }) => measure !== 'firstByte').map(({ measure }) => measure),
    ['manifest', 'layer', 'range'],
  );
  registry.switches.servesWrongBytes = true;
  t.match(
    await kindOf(work({ kind: 'request', method: 'GET', path: `/v2/team/app/blobs/${digest}` })),
    'wrong bytes',
  );
});
