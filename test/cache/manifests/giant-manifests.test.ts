import { type Test, test } from 'tap';
import { mostRecorded } from '../../../src/cache/records/parsed.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseTag } from '../../../src/oci/reference.ts';
import { membersPrefix } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Records } from '../../../src/store/records.ts';
import { readAll } from '../../support/bodies.ts';
import { type CacheRigOptions, cacheRig } from '../../support/cache-rig.ts';
import { flatRepository } from '../../support/flat-repository.ts';
import { sized } from '../../support/sized.ts';

const [giant, small] = [parseTag('ocp_giant'), parseTag('ocp_small')];

/** More than are recorded, and with `--long` as many as fit into 4 MB. */
const listed = Array.from({ length: sized(mostRecorded + 500, 41_000) }, (_, index) =>
  digestOf(Buffer.from(`${index}`)),
);

/** A manifest of so many layers, of which the last one exists. */
async function giantRig(t: Test, options?: CacheRigOptions) {
  const rig = await cacheRig(t, options);
  const layer = rig.double.addBlob(rig.repository, Buffer.from('the last layer'));
  const layers = [...listed, layer].map((digest) => ({ digest, size: 1 }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, layers }));
  rig.double.addManifest(rig.repository, bytes, mediaTypes.ociManifest, giant);
  const place = { upstream: 'quay.io', repository: rig.repository };
  const pull = (tag = giant) => rig.registry.manifests.resolve(rig.repository, { tag });
  return { rig, place, pull, layer, first: listed[0] as Digest, bytes };
}

const readOnly = (records: Records): Records => ({
  ...records,
  put: () => Promise.reject(new Error('read-only')),
});

test(`a manifest that lists ${listed.length} digests gets a bounded number of records`, async (t) => {
  const { rig, pull, bytes } = await giantRig(t);
  t.same(Buffer.from((await pull()).bytes), bytes);
  await rig.settled();
  const records = await Array.fromAsync(rig.store.records.list(membersPrefix));
  t.equal(records.length, mostRecorded + 2, 'one of its own, and one that says that each has one');
});

test('what has no record is reached from its tag all the same, and is had from the upstream', async (t) => {
  const { rig, pull, place, layer } = await giantRig(t);
  await pull();
  t.same(await rig.reach.tagsContaining(place, layer, { afresh: true }), []);
  t.same(await rig.reach.unrecordedTags(place, layer), { tags: [giant], isAll: true });
  t.equal(await rig.reach.tagContains(place, giant, layer), true);
  t.equal(
    (await readAll((await rig.registry.blobs.open(rig.repository, layer)).read())).bytes.toString(),
    'the last layer',
  );
  const stranger = digestOf(Buffer.from('listed nowhere'));
  t.same(await rig.reach.unrecordedTags(place, stranger), { tags: [], isAll: true });
});

test('who pulled a tag while the store cannot be written gets its layers, however much was pulled since', async (t) => {
  const store = createMemoryStore();
  const records = readOnly(store.records);
  const options = { store: { ...store, records }, maxMembers: 50, maxWaiting: 20 };
  const { rig, place, pull, layer } = await giantRig(t, options);
  const content = flatRepository(rig.double, rig.repository);
  const image = content.image(['base', 'cli'], small);
  const tags = Array.from({ length: 60 }, (_, index) => parseTag(`ocp_${index}`));
  for (const [index, tag] of tags.entries()) content.image([`layer ${index}`], tag);
  await pull(small);
  await pull();
  for (const tag of tags) await pull(tag);
  for (const digest of image.all) {
    const known = await rig.reach.tagsContaining(place, digest);
    const found = known.includes(small) ? known : (await rig.reach.unrecordedTags(place, digest)).tags;
    t.ok(found.includes(small), digest);
    t.equal(await rig.reach.tagContains(place, small, digest), true);
  }
  t.ok((await rig.reach.unrecordedTags(place, layer)).tags.includes(giant));
});

test('another replica, or this one after a restart, knows the tags of what has no record', async (t) => {
  const { rig, place, pull, layer } = await giantRig(t);
  await pull();
  await rig.settled();
  const later = rig.replica();
  t.same(await later.reach.tagsContaining(place, layer, { afresh: true }), []);
  t.same(await later.reach.unrecordedTags(place, layer), { tags: [giant], isAll: true });
  t.equal(await later.reach.tagContains(place, giant, layer), true);
  const stranger = digestOf(Buffer.from('listed nowhere'));
  t.same(await later.reach.unrecordedTags(place, stranger), { tags: [], isAll: true });
});

test('what is below a child that has no record has the tags of what lists the child', async (t) => {
  const { rig, place, pull } = await giantRig(t);
  const content = flatRepository(rig.double, rig.repository);
  const image = content.image(['deep']);
  const others = Array.from({ length: mostRecorded }, (_, index) => digestOf(Buffer.from(`child ${index}`)));
  const manifests = [...others, image.digest].map((digest) => ({ digest, size: 1 }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }));
  rig.double.addManifest(rig.repository, bytes, mediaTypes.ociIndex, giant);
  await pull();
  await rig.registry.manifests.resolve(rig.repository, { digest: image.digest });
  for (const digest of image.layers) t.same(await rig.reach.tagsContaining(place, digest), [giant]);
});

test('while the store cannot be written or read, there may be tags that another replica knows', async (t) => {
  const store = createMemoryStore();
  const rig = await cacheRig(t, { store: { ...store, isUsable: async () => false } });
  const place = { upstream: 'quay.io', repository: rig.repository };
  const digest = digestOf(Buffer.from('learned elsewhere'));
  t.same(await rig.reach.unrecordedTags(place, digest), { tags: [], isAll: false });
  const records = { ...store.records, get: () => Promise.reject(new Error('down')) };
  const other = await cacheRig(t, { store: { ...store, records } });
  t.same(await other.reach.unrecordedTags(place, digest), { tags: [], isAll: false });
});
