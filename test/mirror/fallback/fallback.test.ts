import { test } from 'tap';
import { copyImage } from '../../../src/mirror/copy/copy.ts';
import { createCopyRun } from '../../../src/mirror/copy/run.ts';
import type { CopiedImage } from '../../../src/mirror/images/image-copy.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { readAll, until } from '../../support/bodies.ts';
import { type MissCache, type MissRig, missRig } from '../../support/miss-rig.ts';
import type { DoubleImage } from '../../support/registry-contents.ts';
import { taskTexts } from '../../support/task-texts.ts';

const tag = parseTag('ocp_4.5_base');
const sourceRepository = parseRepository('ocp/4.5');
const unknown = { code: 'MANIFEST_UNKNOWN' };
const layers = [300_000, 200_000];

const pull = (cache: Pick<MissCache, 'qci'>, { repository }: MissRig, reference = tag) =>
  cache.qci.manifests.resolve(repository, { tag: reference });

async function pullBlob(cache: Pick<MissCache, 'qci'>, { repository }: MissRig, digest: Digest) {
  const blob = await cache.qci.blobs.open(repository, digest);
  return readAll(blob.read());
}

const blobsOf = ({ config, layers: all }: DoubleImage) => [config, ...all.map(({ digest }) => digest)];

const inSource = (rig: MissRig) => rig.doubles.source.addImage('ocp/4.5', 'base', { layers });

/** The task of a miss, done. */
function copyTo({ repository, destination }: MissRig, { copied }: MissCache): Promise<CopiedImage> {
  const from = { repository: sourceRepository, reference: { tag: parseTag('base') } };
  return copyImage({ source: copied, from, destination, to: { repository, tag } }, createCopyRun());
}

test('a tag that the upstream lacks is answered from its source, byte for byte, and its copy comes before all else', async (t) => {
  const rig = await missRig(t);
  const image = inSource(rig);
  const served = await pull(rig, rig);
  t.equal(served.descriptor.digest, image.digest);
  t.ok(image.manifest.equals(served.bytes));
  t.match(rig.tasks.map(taskTexts), [
    {
      source: 'registry.ci.openshift.org/ocp/4.5:base',
      destination: 'quay.io/openshift/ci:ocp_4.5_base',
      priority: 'miss',
      fills: true,
      sourceDigest: image.digest,
      sourceTagRef: { namespace: 'ocp', name: '4.5', tag: 'base' },
    },
  ]);
  t.same(rig.outcomes, ['served']);
});

test("the source's bytes cross the wire once, for client, store and copy together", async (t) => {
  const rig = await missRig(t);
  const image = inSource(rig);
  rig.doubles.source.switches.bytesPerSecond = 2_000_000;
  await pull(rig, rig);
  const pulled = Promise.all(blobsOf(image).map((digest) => pullBlob(rig, rig, digest)));
  await copyTo(rig, rig);
  t.same(
    (await pulled).map(({ bytes }) => digestOf(bytes)),
    blobsOf(image),
  );
  await rig.settled();
  for (const digest of blobsOf(image)) {
    t.equal(rig.doubles.source.seen(`GET /v2/ocp/4.5/blobs/${digest}`).length, 1);
    t.ok(await rig.store.stat(digest));
    t.ok(await rig.destination.statBlob(rig.repository, digest));
  }
  t.equal(rig.doubles.source.seen('GET /v2/ocp/4.5/manifests/').length, 1);
});

test('a copy that comes first starts the downloads that clients join', async (t) => {
  const rig = await missRig(t);
  const image = inSource(rig);
  rig.doubles.source.switches.bytesPerSecond = 2_000_000;
  const copied = copyTo(rig, rig);
  await until(() => rig.doubles.source.seen('/blobs/').length === 3);
  await pull(rig, rig);
  for (const digest of blobsOf(image)) t.equal((await pullBlob(rig, rig, digest)).error, undefined);
  await copied;
  t.equal(rig.doubles.source.seen('GET /v2/ocp/4.5/blobs/').length, 3);
});

test('a source in another repository of the same registry delivers its blobs too', async (t) => {
  const target = { namespace: 'ocp', name: '4.5', tag: 'base' };
  const source = 'quay.io/other/place:v1';
  const rig = await missRig(t, {
    config: { supplemental: [{ target, source: parseImageReference(source) }] },
  });
  const image = rig.doubles.qci.addImage('other/place', 'v1', { layers });
  await pull(rig, rig);
  for (const digest of blobsOf(image)) t.equal(digestOf((await pullBlob(rig, rig, digest)).bytes), digest);
});

test('once the copy is there the next check finds it at the upstream, and the source is asked no more', async (t) => {
  const rig = await missRig(t);
  const image = inSource(rig);
  await pull(rig, rig);
  await copyTo(rig, rig);
  await rig.settled();
  const checked = () => rig.doubles.qci.seen(`HEAD /v2/openshift/ci/manifests/${tag}`).length;
  const before = { source: rig.doubles.source.requests.length, checked: checked() };
  for (let check = 0; check < 3; check += 1) {
    rig.pass(60_000);
    t.equal((await pull(rig, rig)).descriptor.digest, image.digest);
  }
  t.equal(rig.doubles.source.requests.length, before.source);
  t.equal(checked() - before.checked, 3);
  t.equal(rig.tasks.length, 1);
});

test("the source's entity tag is never shown to the upstream", async (t) => {
  const rig = await missRig(t);
  inSource(rig);
  await pull(rig, rig);
  rig.pass(60_000);
  await pull(rig, rig);
  t.notOk(rig.doubles.qci.requests.some(({ headers }) => 'if-none-match' in headers));
});

test('after a restart the blobs of a miss are found again, although the manifest is stored', async (t) => {
  const rig = await missRig(t);
  const image = inSource(rig);
  await pull(rig, rig);
  const cache = await rig.restarted();
  t.equal((await pull(cache, rig)).hit, 'store');
  for (const { digest, bytes } of image.layers)
    t.ok((await pullBlob(cache, rig, digest)).bytes.equals(bytes));
  t.equal((await cache.qci.blobs.stat(rig.repository, image.config)).descriptor.digest, image.config);
});

test('the manifests of an index are found at the source too', async (t) => {
  const rig = await missRig(t);
  const child = rig.doubles.source.addImage('ocp/4.5', 'amd64', { layers });
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: child.digest, size: child.manifest.length };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor] };
  rig.doubles.source.addManifest('ocp/4.5', Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, 'base');
  await pull(rig, rig);
  const served = await rig.qci.manifests.resolve(rig.repository, { digest: child.digest });
  t.ok(child.manifest.equals(served.bytes));
  t.equal((await pullBlob(rig, rig, child.config)).error, undefined);
});

test('a digest that no tag leads to is asked of no source', async (t) => {
  const rig = await missRig(t);
  const image = inSource(rig);
  const byDigest = { digest: image.digest };
  await t.rejects(rig.qci.manifests.resolve(rig.repository, byDigest), unknown);
  await t.rejects(rig.qci.manifests.resolve(rig.repository, { ...byDigest, tag }), unknown);
  await t.rejects(rig.qci.blobs.open(rig.repository, image.config), { code: 'BLOB_UNKNOWN' });
  t.same(rig.doubles.source.requests, []);
});

test('the same miss is queued once, and again when the source has changed or the copy stays away', async (t) => {
  const rig = await missRig(t, { requeueMs: 120_000 });
  inSource(rig);
  await pull(rig, rig);
  rig.pass(60_000);
  await pull(rig, rig);
  t.equal(rig.tasks.length, 1);
  const { digest } = rig.doubles.source.addImage('ocp/4.5', 'base', { layers: [10] });
  rig.pass(60_000);
  t.equal((await pull(rig, rig)).descriptor.digest, digest);
  t.equal(rig.tasks.length, 2);
  rig.pass(130_000);
  await pull(rig, rig);
  t.equal(rig.tasks.length, 3);
});

test('a tag that was copied and is gone again is a miss again', async (t) => {
  const rig = await missRig(t);
  inSource(rig);
  await pull(rig, rig);
  await copyTo(rig, rig);
  rig.pass(60_000);
  await pull(rig, rig);
  rig.doubles.qci.removeTag('openshift/ci', tag);
  rig.pass(60_000);
  await pull(rig, rig);
  t.equal(rig.tasks.length, 2);
});

test('what only the upstream itself may answer is asked of no source', async (t) => {
  const rig = await missRig(t);
  const { digest } = inSource(rig);
  t.equal(await rig.qci.tagAtUpstream(rig.repository, tag), undefined);
  t.same(rig.doubles.source.requests, []);
  const served = await pull(rig, rig);
  t.equal(served.descriptor.digest, digest, 'a client of the tag is answered from there');
});
