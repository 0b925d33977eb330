import { type Test, test } from 'tap';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { tagsPrefix } from '../../../src/store/keys.ts';
import { readAll } from '../../support/bodies.ts';
import { type Cache, cacheRig } from '../../support/cache-rig.ts';
import { forgedSchema1, signedSchema1 } from '../../support/schema1.ts';

const mediaType = mediaTypes.dockerSchema1Signed;
const elsewhere = parseRepository('any/thing');
const payload = '{\n "schemaVersion": 1,\n "fsLayers": []\n}';
const named = digestOf(Buffer.from(payload));
const invalid = { code: 'UPSTREAM_INVALID' };

/** A private image, and a registry that believes a document which says that it is that image. */
async function forgedRig(t: Test) {
  const rig = await cacheRig(t);
  const image = rig.double.addImage(rig.repository, 'ocp-priv_4.20_cli');
  const entry = { digest: image.layers[0]?.digest, size: 1 };
  const bytes = forgedSchema1(image.manifest, { config: entry, layers: [entry] });
  const forged = { bytes, mediaType, digest: image.digest };
  const pull = (
    reference: string,
    repository = rig.repository,
    { registry }: Pick<Cache, 'registry'> = rig,
  ) =>
    registry.manifests.resolve(
      repository,
      reference.includes(':') ? { digest: reference as Digest } : { tag: parseTag(reference) },
    );
  return { rig, image, forged, pull };
}

test('a document with a digest of its own choice is refused, and changes nothing elsewhere', async (t) => {
  const { rig, image, forged, pull } = await forgedRig(t);
  rig.double.believeManifest(elsewhere, forged, 'x');
  await pull('ocp-priv_4.20_cli');
  await t.rejects(pull('x', elsewhere), invalid);
  await t.rejects(pull(image.digest, elsewhere), invalid);
  for (const reference of ['ocp-priv_4.20_cli', image.digest])
    t.same(Buffer.from((await pull(reference)).bytes), image.manifest);
});

test('nor does a tag lead to a digest because a HEAD says that such a document has it', async (t) => {
  const { rig, image, forged, pull } = await forgedRig(t);
  rig.double.addImage(rig.repository, 'ocp_4.20_cli', { layers: [500] });
  for (const tag of ['ocp-priv_4.20_cli', 'ocp_4.20_cli']) await pull(tag);
  rig.double.believeManifest('openshift/ci', forged, 'ocp_4.20_cli');
  rig.pass(70_000);
  const served = await pull('ocp_4.20_cli');
  t.equal(served.hit, 'stale', 'what the tag meant before');
  t.not(served.descriptor.digest, image.digest);
  const place = { upstream: 'quay.io', repository: rig.repository };
  for (const digest of [image.digest, image.config])
    t.equal(await rig.reach.tagContains(place, parseTag('ocp_4.20_cli'), digest), false);
});

test('a document is answered byte for byte under the digest of its payload, and stays where it was seen', async (t) => {
  const { rig, pull } = await forgedRig(t);
  const [ours, theirs] = [signedSchema1(payload), signedSchema1(payload, 'other')];
  rig.double.addManifest(rig.repository, ours, mediaType, 'old');
  rig.double.addManifest(elsewhere, theirs, mediaType, 'old');
  for (const reference of ['old', named, 'old', named]) {
    const served = await pull(reference);
    t.match(served.descriptor, { digest: named, mediaType, size: ours.length });
    t.same(Buffer.from(served.bytes), ours);
    t.same(Buffer.from((await pull(reference, elsewhere)).bytes), theirs);
  }
  t.equal(rig.asked('/any/thing/manifests/'), 1);
  t.equal(rig.asked('/openshift/ci/manifests/'), 1);
});

test('a document is neither stored nor on record, and asked for again after a restart', async (t) => {
  const { rig, pull } = await forgedRig(t);
  rig.double.addManifest(rig.repository, signedSchema1(payload), mediaType, 'old');
  await pull('old');
  await rig.settled();
  t.same(await Array.fromAsync(rig.store.records.list(tagsPrefix)), []);
  t.same(await Array.fromAsync(rig.store.blobs.list()), []);
  const later = rig.replica();
  t.equal((await pull('old', rig.repository, later)).hit, 'fill');
  t.equal(rig.asked('/manifests/old'), 2);
});

test('a digest that a document had first is answered as what has it as well', async (t) => {
  const { rig, pull } = await forgedRig(t);
  rig.double.addManifest(rig.repository, signedSchema1(payload), mediaType, 'signed');
  await pull('signed');
  rig.double.addManifest(rig.repository, Buffer.from(payload), mediaTypes.dockerSchema1, 'unsigned');
  t.equal((await pull('unsigned')).descriptor.mediaType, mediaTypes.dockerSchema1);
  t.same(Buffer.from((await pull('unsigned')).bytes).toString(), payload);
});

test('what lists a manifest under another type does not keep it from being answered', async (t) => {
  const { rig, image, pull } = await forgedRig(t);
  const entry = { digest: image.digest, size: 7, mediaType: mediaTypes.dockerSchema1 };
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  rig.double.addManifest(rig.repository, index, mediaTypes.ociIndex, 'mistaken');
  await pull('mistaken');
  for (const reference of [image.digest, 'ocp-priv_4.20_cli', image.digest])
    t.match((await pull(reference)).descriptor, {
      mediaType: mediaTypes.ociManifest,
      size: image.manifest.length,
    });
  await rig.settled();
  const later = rig.replica();
  t.match((await pull(image.digest, rig.repository, later)).descriptor, {
    mediaType: mediaTypes.ociManifest,
  });
  for (const { digest } of image.layers)
    await readAll((await rig.registry.blobs.open(rig.repository, digest)).read());
});

test('another replica learns what a tag of a document means before it refuses the layers', async (t) => {
  const { rig, image, pull } = await forgedRig(t);
  const layer = image.layers[0]?.digest as Digest;
  const own = `{\n "schemaVersion": 1,\n "fsLayers": [{"blobSum": "${layer}"}]\n}`;
  rig.double.addManifest(rig.repository, signedSchema1(own), mediaType, 'old');
  await pull('old');
  await rig.settled();
  const place = { upstream: 'quay.io', repository: rig.repository };
  const { reach } = rig.replica();
  t.same(await reach.tagsContaining(place, layer), ['old']);
  t.equal(await reach.tagContains(place, parseTag('old'), layer), true);
  rig.double.switches.down = true;
  const another = rig.replica();
  await t.rejects(async () => another.reach.tagContains(place, parseTag('old'), layer), {
    code: 'UNAVAILABLE',
  });
});
