import { type Test, test } from 'tap';
import type { Digest } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag, type Repository } from '../../../src/oci/reference.ts';
import { referrersTag } from '../../../src/oci/referrers-tag.ts';
import { memberKey, membersPrefix, tagKey, tagsPrefix } from '../../../src/store/keys.ts';
import type { Records } from '../../../src/store/records.ts';
import { readAll } from '../../support/bodies.ts';
import { type Cache, type CacheRig, cacheRig } from '../../support/cache-rig.ts';
import { flatRepository } from '../../support/flat-repository.ts';

type Json = Readonly<Record<string, unknown>>;

const [open, secret] = [parseTag('ocp_4.20_cli'), parseTag('ocp-priv_4.20_cli')];
const other = parseRepository('team/private');

async function change(records: Records, key: string, changed: (value: Json) => Json): Promise<void> {
  const stored = await records.get(key);
  const before: Json = stored === undefined ? {} : JSON.parse(Buffer.from(stored.bytes).toString());
  await records.put(key, Buffer.from(JSON.stringify(changed(before))));
}

/** The records as the version wrote them that believed what documents said of themselves. */
async function aged({ store }: CacheRig): Promise<void> {
  for await (const { key } of store.records.list(membersPrefix))
    await change(store.records, key, ({ format: _, ...member }) => member);
  for await (const { key } of store.records.list(tagsPrefix))
    await change(store.records, key, ({ history, ...pointer }) => ({
      ...pointer,
      ...(Array.isArray(history) && { history: history.map(({ mediaType: _, ...meaning }) => meaning) }),
    }));
}

/** A store of before, with one image that all may have and one that few may. */
async function oldRig(t: Test) {
  const rig = await cacheRig(t, { maxJointBytes: 0 });
  const content = flatRepository(rig.double, rig.repository);
  const images = { open: content.image(['base', 'cli'], open), secret: content.image(['embargoed'], secret) };
  const place = { upstream: 'quay.io', repository: rig.repository };
  for (const tag of [open, secret]) await pull(rig, rig.repository, tag);
  for (const { config, layers } of [images.open, images.secret])
    for (const digest of [config, ...layers]) await read(rig, rig.repository, digest);
  await rig.settled();
  await aged(rig);
  const member = (digest: Digest, repository = rig.repository) => memberKey('quay.io', repository, digest);
  const pointer = (tag = open) => tagKey('quay.io', rig.repository, tag);
  const { records } = rig.store;
  return { rig, content, ...images, place, member, pointer, records };
}

const pull = ({ registry }: Pick<Cache, 'registry'>, repository: Repository, reference: string) =>
  registry.manifests.resolve(
    repository,
    reference.includes(':') ? { digest: reference as Digest } : { tag: parseTag(reference) },
  );

async function read({ registry }: Pick<Cache, 'registry'>, repository: Repository, digest: Digest) {
  const { bytes, error } = await readAll((await registry.blobs.open(repository, digest)).read());
  if (error !== undefined) throw error;
  return bytes;
}

test('a tag that a document led to a private digest leads nowhere, and is asked about', async (t) => {
  const { rig, secret: image, place, pointer, records } = await oldRig(t);
  const forged = { digest: image.digest, mediaType: mediaTypes.dockerSchema1Signed, size: 9 };
  await change(records, pointer(), (value) => ({ ...value, ...forged }));
  const later = rig.replica();
  const asked = rig.asked(`/manifests/${open}`);
  for (const digest of image.all) t.equal(await later.reach.tagContains(place, open, digest), false);
  const served = await pull(later, rig.repository, open);
  t.equal(rig.asked(`/manifests/${open}`) - asked, 1);
  t.not(served.descriptor.digest, image.digest);
  for (const digest of image.all) t.equal(await later.reach.tagContains(place, open, digest), false);
});

test('nor does what the tag is said to have meant before, and what is learned now is believed', async (t) => {
  const { rig, content, open: before, secret: image, place, pointer, records } = await oldRig(t);
  const meaning = { digest: image.digest, from: 1, until: 1_000_000_000_000 };
  await change(records, pointer(), (value) => ({ ...value, history: [meaning] }));
  const later = rig.replica();
  for (const digest of image.all) t.equal(await later.reach.tagContains(place, open, digest), false);
  content.image(['base', 'next'], open);
  rig.pass(70_000);
  await pull(later, rig.repository, open);
  for (const digest of image.all) t.equal(await later.reach.tagContains(place, open, digest), false);
  for (const digest of before.all) t.equal(await later.reach.tagContains(place, open, digest), true);
  await later.settled();
  const last = rig.replica();
  for (const digest of before.all) t.equal(await last.reach.tagContains(place, open, digest), true);
});

test('a false tag on a record opens nothing', async (t) => {
  const { rig, secret: image, place, member, records } = await oldRig(t);
  for (const digest of image.all)
    await change(records, member(digest), (value) => ({ ...value, tags: [secret, open] }));
  const later = rig.replica();
  for (const digest of image.all) {
    t.same(await later.reach.tagsContaining(place, digest), [open, secret]);
    t.equal(await later.reach.tagContains(place, open, digest), false);
    t.equal(await later.reach.tagContains(place, secret, digest), true);
  }
});

test('content is not of a repository because an old record says so: the upstream is asked, once', async (t) => {
  const { rig, secret: image, member, records } = await oldRig(t);
  const [layer] = image.layers as [Digest];
  for (const digest of image.all) {
    const { size = 0 } =
      (await rig.membership.find({ upstream: 'quay.io', repository: rig.repository }, digest)) ?? {};
    const bytes = { size, tags: [], tagsAt: 1, seenAt: 1, mediaType: mediaTypes.ociManifest };
    await change(records, member(digest, other), () => bytes);
  }
  const later = rig.replica();
  await t.rejects(read(later, other, layer), { code: 'BLOB_UNKNOWN' });
  await t.rejects(pull(later, other, image.digest), { code: 'MANIFEST_UNKNOWN' });
  t.equal(rig.asked(`HEAD /v2/${other}/blobs/${layer}`), 1);
  const before = rig.asked('');
  t.ok(await read(later, rig.repository, layer), 'and where it is, it is found');
  t.equal(rig.asked('') - before, 1);
  await read(later, rig.repository, layer);
  await later.settled();
  await read(rig.replica(), rig.repository, layer);
  t.equal(rig.asked('') - before, 1, 'its record is one of now');
});

test('a wrong type or size on an old record is put right by the first pull', async (t) => {
  const { rig, open: image, member, records } = await oldRig(t);
  const wrong = { mediaType: mediaTypes.dockerSchema1Signed, size: 3 };
  for (const digest of image.all) await change(records, member(digest), (value) => ({ ...value, ...wrong }));
  const later = rig.replica();
  const asked = rig.asked('');
  for (const reference of [open, image.digest, open]) {
    const { descriptor, bytes, hit } = await pull(later, rig.repository, reference);
    t.match(descriptor, { mediaType: mediaTypes.ociManifest, size: bytes.length });
    t.not(hit, 'fill');
  }
  for (const digest of image.layers) await read(later, rig.repository, digest);
  t.equal(rig.asked(''), asked, 'by the tag, what is stored is enough');
  await later.settled();
  const record = JSON.parse(Buffer.from((await records.get(member(image.digest)))?.bytes ?? '').toString());
  t.match(record, { format: 2, mediaType: mediaTypes.ociManifest });
});

test('an old record does not say to what an attachment belongs', async (t) => {
  const { rig, content, open: image, secret: hidden, place, member, records } = await oldRig(t);
  const [layer] = hidden.layers as [Digest];
  const tag = referrersTag(image.digest);
  await change(records, member(layer), (value) => ({ ...value, tags: [secret, tag] }));
  const later = rig.replica();
  t.equal(await later.reach.tagContains(place, tag, layer), false);
  await pull(later, rig.repository, secret);
  t.equal(await later.reach.tagContains(place, tag, layer), false, 'nor once the record was confirmed');
  const signature = content.artifact(image.digest, 'a signature');
  await pull(later, rig.repository, signature.digest);
  await later.settled();
  await aged(rig);
  const last = rig.replica();
  const [payload] = signature.layers as [Digest];
  t.equal(await last.reach.tagContains(place, tag, signature.digest), true);
  await pull(last, rig.repository, signature.digest);
  t.equal(await last.reach.tagContains(place, tag, payload), true, 'the manifest that refers does');
});

test('a store of before serves what its tags mean while the upstream is down', async (t) => {
  const { rig, open: image } = await oldRig(t);
  const later = rig.replica();
  rig.double.switches.down = true;
  t.match((await pull(later, rig.repository, open)).descriptor, { digest: image.digest });
  for (const digest of [image.config, ...image.layers]) t.ok(await read(later, rig.repository, digest));
});
