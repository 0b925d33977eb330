import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { randomContent, readAll, until } from '../../support/bodies.ts';
import { type CacheRig, cacheRig } from '../../support/cache-rig.ts';
import { signedSchema1 } from '../../support/schema1.ts';

async function rigWithImage(t: Parameters<typeof cacheRig>[0], options?: Parameters<typeof cacheRig>[1]) {
  const rig = await cacheRig(t, options);
  rig.double.addImage(rig.repository, 'latest', { layers: [1_000, 2_000] });
  return rig;
}

const latest = (rig: CacheRig) => rig.registry.manifests.resolve(rig.repository, { tag: rig.tag('latest') });

async function pullBlobs(rig: CacheRig): Promise<void> {
  const { bytes } = await latest(rig);
  const { config, layers } = JSON.parse(Buffer.from(bytes).toString());
  for (const { digest } of [config, ...layers]) {
    await readAll((await rig.registry.blobs.open(rig.repository, digest)).read());
  }
  await rig.settled();
}

test('a fresh tag costs no upstream request', async (t) => {
  const rig = await rigWithImage(t);
  t.equal((await latest(rig)).hit, 'fill');
  rig.pass(29_000);
  t.equal((await latest(rig)).hit, 'memory');
  t.equal(rig.asked('/manifests/'), 1);
});

test('a herd on a cold tag is one upstream request', async (t) => {
  const rig = await rigWithImage(t);
  const herd = await Promise.all(Array.from({ length: 50 }, () => latest(rig)));
  t.equal(new Set(herd.map(({ descriptor }) => descriptor.digest)).size, 1);
  t.equal(rig.asked('/manifests/'), 1);
});

test('an ageing tag is answered at once and confirmed behind the answer', async (t) => {
  const rig = await rigWithImage(t);
  await latest(rig);
  rig.pass(40_000);
  t.equal((await latest(rig)).hit, 'memory');
  await rig.settled();
  t.equal(rig.asked('HEAD /v2/openshift/ci/manifests/latest'), 1);
  t.equal(rig.double.seen('HEAD')[0]?.status, 304);
});

test('an old tag is asked about by one conditional HEAD for all who wait', async (t) => {
  const rig = await rigWithImage(t);
  await latest(rig);
  rig.pass(70_000);
  await Promise.all(Array.from({ length: 20 }, () => latest(rig)));
  t.equal(rig.asked('HEAD'), 1);
  t.equal(rig.asked('GET /v2/openshift/ci/manifests/'), 1);
});

test('a tag that moved is seen after the check, and what it meant before is on record', async (t) => {
  const rig = await rigWithImage(t);
  const before = await latest(rig);
  rig.double.addImage(rig.repository, 'latest', { layers: [3_000] });
  rig.pass(70_000);
  const after = await latest(rig);
  t.not(after.descriptor.digest, before.descriptor.digest);
  await rig.settled();
  const records = [];
  for await (const { key } of rig.store.records.list('v1/tags/'))
    records.push(await rig.store.records.get(key));
  const pointer = JSON.parse(Buffer.from(records[0]?.bytes ?? '').toString());
  t.match(pointer, { digest: after.descriptor.digest, history: [{ digest: before.descriptor.digest }] });
});

test('a tag whose new manifest is not there yet by its digest is asked for by its name', async (t) => {
  const rig = await rigWithImage(t);
  await latest(rig);
  const { digest } = rig.double.addImage(rig.repository, 'latest', { layers: [3_000] });
  rig.double.switches.lagsBehind = digest;
  rig.pass(70_000);
  t.equal((await latest(rig)).descriptor.digest, digest);
});

test('a tag whose new manifest is nowhere yet has its older meaning, with a warning, and never none', async (t) => {
  const rig = await rigWithImage(t);
  await pullBlobs(rig);
  const before = await latest(rig);
  const after = rig.double.addImage(rig.repository, 'latest', { layers: [3_000] });
  rig.double.switches.headsOnly = after.digest;
  for (let round = 0; round < 2; round += 1) {
    rig.pass(70_000);
    const served = await latest(rig);
    t.match(served, { hit: 'stale', descriptor: { digest: before.descriptor.digest } });
    t.match(served.notice, /^299 - /);
  }
  rig.pass(3_600_000);
  await t.rejects(latest(rig), { code: 'UNAVAILABLE' });
  delete rig.double.switches.headsOnly;
  rig.pass(6_000);
  t.equal((await latest(rig)).descriptor.digest, after.digest);
});

test('an upstream that fails in any way yields the older answer with a warning and its age', async (t) => {
  for (const code of [401, 403, 429, 500, 502, 503]) {
    const rig = await rigWithImage(t);
    await pullBlobs(rig);
    rig.pass(120_000);
    rig.double.switches.status = { of: 'everything', code };
    const served = await latest(rig);
    t.match(served, { hit: 'stale', ageSeconds: 120 }, `${code}`);
    t.match(served.notice, /^299 - ".*120 s ago"$/);
  }
});

test('a dead upstream yields the older answer too, until it is too old', async (t) => {
  const rig = await rigWithImage(t);
  await pullBlobs(rig);
  rig.double.switches.down = true;
  rig.pass(120_000);
  t.equal((await latest(rig)).hit, 'stale');
  rig.pass(3_600_000);
  await t.rejects(latest(rig), { code: 'UNAVAILABLE' });
});

test('a tag that is gone upstream is gone here, or kept with a warning, as the policy says', async (t) => {
  const hiding = await rigWithImage(t);
  await latest(hiding);
  hiding.double.removeTag(hiding.repository, 'latest');
  hiding.pass(70_000);
  await t.rejects(latest(hiding), { code: 'MANIFEST_UNKNOWN' });
  const keeping = await rigWithImage(t, { policy: { gone: 'keep' } });
  await latest(keeping);
  keeping.double.removeTag(keeping.repository, 'latest');
  keeping.pass(70_000);
  t.match((await latest(keeping)).warnings, [/no longer has this tag/]);
});

test('a kept tag that is there again loses its warning', async (t) => {
  const rig = await rigWithImage(t, { policy: { gone: 'keep' } });
  await latest(rig);
  rig.double.removeTag(rig.repository, 'latest');
  rig.pass(70_000);
  await latest(rig);
  rig.double.addImage(rig.repository, 'latest', { layers: [1_000, 2_000] });
  rig.pass(70_000);
  t.same((await latest(rig)).warnings, []);
});

test('a manifest too large for the memory crosses the link once all the same', async (t) => {
  const rig = await rigWithImage(t, { maxEntryBytes: 10 });
  await latest(rig);
  t.equal(rig.asked('/manifests/'), 1);
});

test('an index with something in it that is no manifest is answered like any other', async (t) => {
  const rig = await cacheRig(t);
  const picture = randomContent(1_000);
  const child = { ...picture.descriptor, mediaType: 'image/png' };
  rig.double.addBlob(rig.repository, picture.bytes);
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] };
  rig.double.addManifest(rig.repository, Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, 'latest');
  await latest(rig);
  await readAll((await rig.registry.blobs.open(rig.repository, child.digest)).read());
  await rig.settled();
  t.equal((await latest(rig)).hit, 'memory');
});

test('an index of which only an attestation is stored is not complete', async (t) => {
  const rig = await cacheRig(t);
  const image = rig.double.addImage(rig.repository, 'amd64');
  const statement = randomContent(500);
  const config = rig.double.addBlob(rig.repository, Buffer.from('{}'));
  rig.double.addBlob(rig.repository, statement.bytes);
  const attestation = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 2 },
      layers: [{ ...statement.descriptor, mediaType: 'application/vnd.in-toto+json' }],
    }),
  );
  const attested = rig.double.addManifest(rig.repository, attestation, mediaTypes.ociManifest);
  const children = [
    { mediaType: mediaTypes.ociManifest, digest: image.digest, size: image.manifest.length },
    { mediaType: mediaTypes.ociManifest, digest: attested, size: attestation.length },
  ];
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children };
  rig.double.addManifest(rig.repository, Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, 'latest');
  await latest(rig);
  await rig.registry.manifests.resolve(rig.repository, { digest: attested });
  for (const digest of [config, statement.descriptor.digest])
    await readAll((await rig.registry.blobs.open(rig.repository, digest)).read());
  await rig.settled();
  rig.double.switches.down = true;
  rig.pass(6_000);
  await t.rejects(latest(rig), { code: 'UNAVAILABLE' });
});

test('a tag that never was is asked about once in a while only', async (t) => {
  const rig = await cacheRig(t);
  for (let at = 0; at < 5; at += 1) await t.rejects(latest(rig), { code: 'MANIFEST_UNKNOWN' });
  t.equal(rig.asked('/manifests/'), 1);
  rig.double.addImage(rig.repository, 'latest');
  rig.pass(6_000);
  t.ok(await latest(rig));
});

test('a tag that never moves is never asked about again', async (t) => {
  const rig = await cacheRig(t);
  const tag = rig.tag('20260101000000_prune_ocp_4.5_base');
  rig.double.addImage(rig.repository, tag);
  await rig.registry.manifests.resolve(rig.repository, { tag });
  rig.pass(365 * 86_400_000);
  await rig.registry.manifests.resolve(rig.repository, { tag });
  t.equal(rig.asked('/manifests/'), 1);
});

test('with the upstream down a manifest is answered only if its blobs are stored', async (t) => {
  const rig = await rigWithImage(t);
  await latest(rig);
  const { digest } = (await latest(rig)).descriptor;
  rig.double.switches.down = true;
  rig.pass(6_000);
  await until(async () => {
    const outcome = await rig.registry.manifests.resolve(rig.repository, { digest }).catch((error) => error);
    return outcome.code === 'UNAVAILABLE';
  }, 'the refusal');
  delete rig.double.switches.down;
  await until(
    () =>
      latest(rig).then(
        () => true,
        () => false,
      ),
    'the upstream, back again',
  );
  await pullBlobs(rig);
  rig.double.switches.down = true;
  t.ok(await rig.registry.manifests.resolve(rig.repository, { digest }), 'now they are');
});

test('a manifest is answered byte for byte with its own media type', async (t) => {
  const rig = await cacheRig(t);
  const bytes = Buffer.from(
    `{ "schemaVersion": 2,\n "mediaType": "${mediaTypes.dockerManifest}", "layers": [] }\n`,
  );
  rig.double.addManifest(rig.repository, bytes, mediaTypes.dockerManifest, 'odd');
  const served = await rig.registry.manifests.resolve(rig.repository, { tag: rig.tag('odd') });
  t.ok(Buffer.from(served.bytes).equals(bytes));
  t.equal(served.descriptor.mediaType, mediaTypes.dockerManifest);
  const registry = await rig.restarted();
  rig.double.switches.down = true;
  const again = await registry.manifests.resolve(rig.repository, { digest: served.descriptor.digest });
  t.ok(Buffer.from(again.bytes).equals(bytes));
  t.equal(again.descriptor.mediaType, mediaTypes.dockerManifest);
});

test('another repository does not get a manifest by its digest alone', async (t) => {
  const rig = await rigWithImage(t);
  const { digest } = (await latest(rig)).descriptor;
  await t.rejects(rig.registry.manifests.resolve('other/place' as never, { digest }), {
    code: 'MANIFEST_UNKNOWN',
  });
});

test('a warning of the upstream is passed on', async (t) => {
  const rig = await rigWithImage(t);
  rig.double.switches.warning = '299 - "this image is deprecated"';
  t.same((await latest(rig)).warnings, ['299 - "this image is deprecated"']);
  t.same((await latest(rig)).warnings, ['299 - "this image is deprecated"'], 'from memory as well');
});

test('a signed schema 1 manifest is answered byte for byte under the digest of its payload', async (t) => {
  const rig = await cacheRig(t);
  const payload = `{\n "schemaVersion": 1,\n "fsLayers": []\n}`;
  const bytes = signedSchema1(payload);
  const digest = digestOf(Buffer.from(payload));
  rig.double.addManifest(rig.repository, bytes, mediaTypes.dockerSchema1Signed, 'old');
  const served = await rig.registry.manifests.resolve(rig.repository, { tag: rig.tag('old') });
  t.equal(served.descriptor.digest, digest);
  t.ok(Buffer.from(served.bytes).equals(bytes));
});
