import { type Test, test } from 'tap';
import { mostRecorded } from '../../src/cache/listed.ts';
import { membersPrefix } from '../../src/cache/store/keys.ts';
import { memoryStore } from '../../src/cache/store/memory-store.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { parseTag } from '../../src/oci/reference.ts';
import { readAll } from '../support/bodies.ts';
import { type CacheRigOptions, cacheRig } from '../support/cache-rig.ts';
import { flatRepository } from '../support/flat-repository.ts';

const [giant, small] = [parseTag('ocp_giant'), parseTag('ocp_small')];

/** A manifest of as many layers as fit into 4 MB, of which the last one exists. */
async function giantRig(t: Test, options?: CacheRigOptions) {
  const rig = await cacheRig(t, options);
  const layer = rig.double.addBlob(rig.repository, Buffer.from('the last layer'));
  const listed = Array.from({ length: 41_000 }, (_, index) => digestOf(Buffer.from(`${index}`)));
  const layers = [...listed, layer].map((digest) => ({ digest, size: 1 }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, layers }));
  rig.double.addManifest(rig.repository, bytes, mediaTypes.ociManifest, giant);
  const place = { upstream: 'quay.io', repository: rig.repository };
  const pull = (tag = giant) => rig.registry.manifests.resolve(rig.repository, { tag });
  return { rig, place, pull, layer, first: listed[0] as Digest, bytes };
}

test('a manifest that lists 41,000 digests gets a bounded number of records', async (t) => {
  const { rig, pull, bytes } = await giantRig(t);
  t.same(Buffer.from((await pull()).bytes), bytes);
  await rig.settled();
  const records = await Array.fromAsync(rig.store.records.list(membersPrefix));
  t.equal(records.length, mostRecorded + 1, 'and one of its own');
});

test('what has no record is reached from its tag all the same, and is had from the upstream', async (t) => {
  const { rig, pull, place, layer } = await giantRig(t);
  await pull();
  t.same(await rig.reach.tagsTowards(place, layer), []);
  t.same(await rig.reach.tagsTowards(place, layer, { afresh: true }), [giant]);
  t.equal(await rig.reach.leadsTo(place, giant, layer), true);
  t.equal(
    (await readAll((await rig.registry.blobs.open(rig.repository, layer)).read())).bytes.toString(),
    'the last layer',
  );
  const stranger = digestOf(Buffer.from('listed nowhere'));
  t.same(await rig.reach.tagsTowards(place, stranger, { afresh: true }), []);
});

test('who pulled a tag while the store cannot be written gets its layers, however much was pulled since', async (t) => {
  const store = memoryStore();
  const records = { ...store.records, put: () => Promise.reject(new Error('read-only')) };
  const options = { store: { ...store, records }, maxMembers: 50, maxWaiting: 20 };
  const { rig, place, pull } = await giantRig(t, options);
  const content = flatRepository(rig.double, rig.repository);
  const image = content.image(['base', 'cli'], small);
  const tags = Array.from({ length: 60 }, (_, index) => parseTag(`ocp_${index}`));
  for (const [index, tag] of tags.entries()) content.image([`layer ${index}`], tag);
  await pull(small);
  await pull();
  for (const tag of tags) await pull(tag);
  for (const digest of image.all) {
    const known = await rig.reach.tagsTowards(place, digest);
    const found = known.includes(small)
      ? known
      : await rig.reach.tagsTowards(place, digest, { afresh: true });
    t.ok(found.includes(small), digest);
    t.equal(await rig.reach.leadsTo(place, small, digest), true);
  }
});
