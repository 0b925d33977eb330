import { type Test, test } from 'tap';
import type { TagIndex } from '../../../src/cache/registry/tag-index.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseTag, type Tag } from '../../../src/oci/reference.ts';
import { referrersTag } from '../../../src/oci/referrers-tag.ts';
import { readAll, until } from '../../support/bodies.ts';
import { type CacheRig, type CacheRigOptions, cacheRig } from '../../support/cache-rig.ts';
import { flatRepository } from '../../support/flat-repository.ts';

const day = 86_400_000;

async function rigOf(t: Test, options?: CacheRigOptions) {
  const rig = await cacheRig(t, options);
  return { rig, content: flatRepository(rig.double, rig.repository), ...asking(rig) };
}

const placeOf = ({ repository }: CacheRig) => ({ upstream: 'quay.io', repository });

/** A question for the rig's cache, or for another one. */
function asking(rig: CacheRig) {
  const place = placeOf(rig);
  const pull = (reference: string, { registry }: Pick<CacheRig, 'registry'> = rig) =>
    registry.manifests.resolve(
      rig.repository,
      reference.includes(':') ? { digest: reference as Digest } : { tag: parseTag(reference) },
    );
  /** Those of the tags that lead there, by what the records say and by what the graphs hold. */
  async function leading(digest: Digest, { reach }: { readonly reach: TagIndex } = rig): Promise<string[]> {
    const found: string[] = [];
    for (const tag of await reach.tagsContaining(place, digest))
      if (await reach.tagContains(place, tag, digest)) found.push(tag);
    return found.toSorted(byCodeUnit);
  }
  return { place, pull, leading };
}

function byCodeUnit(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

test('a layer is reached from each tag whose image has it, and from no other', async (t) => {
  const { content, pull, leading } = await rigOf(t);
  const open = content.image(['base', 'open'], 'ocp_4.20_cli');
  const secret = content.image(['base', 'secret'], 'ocp-priv_4.20_cli');
  await pull('ocp_4.20_cli');
  await pull('ocp-priv_4.20_cli');
  t.same(await leading(open.layers[0] as Digest), ['ocp-priv_4.20_cli', 'ocp_4.20_cli'], 'the base');
  for (const digest of [open.digest, open.config, open.layers[1]])
    t.same(await leading(digest as Digest), ['ocp_4.20_cli']);
  for (const digest of [secret.digest, secret.config, secret.layers[1]])
    t.same(await leading(digest as Digest), ['ocp-priv_4.20_cli']);
});

test('content that was never seen below a tag is reached from nowhere', async (t) => {
  const { rig, content, pull, place } = await rigOf(t);
  const { digest } = content.image(['layer']);
  await pull(digest);
  t.same(await rig.reach.tagsContaining(place, digest), []);
  t.equal(await rig.reach.tagContains(place, parseTag('latest'), digest), false);
});

test('what is in memory is answered without a wait', async (t) => {
  const { rig, content, pull, place } = await rigOf(t);
  const { layers } = content.image(['layer'], 'latest');
  const [layer] = layers as [Digest];
  await pull('latest');
  await rig.settled();
  await rig.reach.tagContains(place, parseTag('latest'), layer);
  t.same(rig.reach.tagsContaining(place, layer), ['latest']);
  t.equal(rig.reach.tagContains(place, parseTag('latest'), layer), true);
  t.equal(rig.asked(''), rig.asked('/manifests/latest'), 'and costs the upstream nothing');
});

test('a tag that moved leads to its new image at once, and to the old one for as long as is set', async (t) => {
  for (const formerMs of [0, 3 * day]) {
    const { rig, content, pull, leading } = await rigOf(t, { formerMs });
    const before = content.image(['base', 'old'], 'latest');
    await pull('latest');
    const after = content.image(['base', 'new'], 'latest');
    rig.pass(70_000);
    await pull('latest');
    for (const digest of after.all) t.same(await leading(digest), ['latest']);
    t.same(await leading(before.layers[1] as Digest), formerMs === 0 ? [] : ['latest']);
    rig.pass(formerMs);
    t.same(await leading(before.layers[1] as Digest), [], 'and then no more');
    t.same(await leading(before.layers[0] as Digest), ['latest'], 'but for what both have');
  }
});

test('a tag that is gone leads nowhere from then on', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t);
  const { all } = content.image(['layer'], 'latest');
  await pull('latest');
  rig.double.removeTag(rig.repository, 'latest');
  rig.pass(70_000);
  await t.rejects(pull('latest'), { code: 'MANIFEST_UNKNOWN' });
  for (const digest of all) t.same(await leading(digest), []);
});

test('the word of the upstream on a tag is asked for again when it has become too old', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t, { formerMs: day });
  const { all } = content.image(['layer'], 'latest');
  await pull('latest');
  rig.pass(day + 1);
  t.same(await leading(all[1] as Digest), ['latest']);
  t.equal(rig.asked('HEAD /v2/openshift/ci/manifests/latest'), 1);
  rig.double.removeTag(rig.repository, 'latest');
  rig.pass(day + 1);
  t.same(await leading(all[1] as Digest), []);
});

test('a word too old that the upstream cannot renew is neither yes nor no', async (t) => {
  const { rig, content, pull, place } = await rigOf(t, { formerMs: day });
  const { digest } = content.image(['layer'], 'latest');
  await pull('latest');
  rig.double.switches.down = true;
  rig.pass(day + 1);
  await t.rejects(async () => rig.reach.tagContains(place, parseTag('latest'), digest), {
    code: 'UNAVAILABLE',
  });
});

test('after a restart the records know it all', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t);
  const { all } = content.image(['base', 'cli'], 'latest');
  await pull('latest');
  content.image(['base', 'tests'], 'latest');
  rig.pass(70_000);
  await pull('latest');
  await rig.settled();
  const later = rig.replica();
  rig.double.switches.down = true;
  for (const digest of all) t.same(await leading(digest, later), ['latest']);
});

test('a second tag on an index that is held reaches all levels before it is answered', async (t) => {
  const { content, pull, leading } = await rigOf(t);
  const images = ['amd64', 'arm64'].map((platform) => content.image(['base', platform]));
  const inner = content.index(images.map(({ digest }) => digest));
  const outer = content.index([inner], 'first', 'second');
  await pull('first');
  for (const digest of [inner, ...images.map(({ digest }) => digest)]) await pull(digest);
  await pull('second');
  for (const digest of [outer, inner, ...images.flatMap(({ all }) => all)])
    t.same(await leading(digest), ['first', 'second']);
});

test('a second tag reaches all levels of what only the store holds', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t);
  const image = content.image(['layer']);
  content.index([image.digest], 'first', 'second');
  await pull('first');
  await pull(image.digest);
  await rig.settled();
  const later = rig.replica();
  await pull('second', later);
  t.same(await leading(image.layers[0] as Digest, later), ['first', 'second']);
});

test('two tags that are asked for at once both lead there', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t);
  const old = content.image(['old'], 'one', 'two');
  await Promise.all([pull('one'), pull('two')]);
  const { all } = content.image(['layer'], 'one', 'two');
  rig.pass(70_000);
  await Promise.all([pull('one'), pull('two')]);
  for (const digest of [...old.all, ...all]) t.same(await leading(digest), ['one', 'two']);
});

test('a child that was not yet fetched is fetched when the answer depends on it', async (t) => {
  const { rig, content, pull, place } = await rigOf(t);
  const image = content.image(['layer']);
  const [layer] = image.layers as [Digest];
  const tag = parseTag('latest');
  content.index([image.digest], 'latest');
  await pull('latest');
  rig.double.switches.down = true;
  await t.rejects(async () => rig.reach.tagContains(place, tag, layer), { code: 'UNAVAILABLE' });
  delete rig.double.switches.down;
  await until(
    () => Promise.resolve(rig.reach.tagContains(place, tag, layer)).catch(() => false),
    'the answer',
  );
  const asked = rig.asked(`/manifests/${image.digest}`);
  t.equal(rig.reach.tagContains(place, tag, layer), true);
  t.equal(rig.asked(`/manifests/${image.digest}`), asked, 'once');
});

test('an index that lists what is nowhere leads to the rest', async (t) => {
  const { rig, content, pull, leading, place } = await rigOf(t);
  const image = content.image(['layer']);
  const missing = content.image(['elsewhere']);
  content.index([missing.digest, image.digest], 'latest');
  rig.double.removeManifest(rig.repository, missing.digest);
  await pull('latest');
  await pull(image.digest);
  t.same(await leading(image.layers[0] as Digest), ['latest']);
  t.equal(await rig.reach.tagContains(place, parseTag('latest'), missing.layers[0] as Digest), false);
});

test('a manifest that was evicted is fetched again for the answer', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t);
  const { digest, layers } = content.image(['layer'], 'latest');
  await pull('latest');
  await rig.settled();
  await rig.store.blobs.delete(digest);
  const later = rig.replica();
  t.same(await leading(layers[0] as Digest, later), ['latest']);
  t.equal(rig.asked(`GET /v2/openshift/ci/manifests/${digest}`), 1);
});

test('what refers to a manifest is under its referrers tag, with all that is below it', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t);
  const image = content.image(['layer'], 'latest');
  const signature = content.artifact(image.digest, 'signature');
  const other = content.artifact(content.image(['other']).digest, 'signature of another');
  await rig.registry.listings.referrers(rig.repository, image.digest, '');
  const tag = referrersTag(image.digest);
  t.same(await leading(signature.digest), [tag], 'by the list alone');
  await pull(signature.digest);
  for (const digest of signature.all) t.same(await leading(digest), [tag]);
  await pull(other.digest);
  t.notOk((await leading(other.digest)).includes(tag));
  t.same(await leading(image.digest), [], 'and not what it refers to');
});

test('a manifest that does not refer there is not reached, whatever a list says', async (t) => {
  const { rig, content, pull, leading, place } = await rigOf(t);
  const image = content.image(['layer'], 'latest');
  const secret = content.image(['secret']);
  const listed = { digest: secret.digest, size: 1, mediaType: 'application/vnd.oci.image.manifest.v1+json' };
  await rig.membership.add(place, [listed], referrersTag(image.digest));
  t.same(await leading(secret.digest), []);
  await pull(secret.digest);
  t.same(await leading(secret.layers[0] as Digest), []);
});

test('without the referrers API the pushed index leads to what refers, and below', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t);
  rig.double.switches.lacksReferrers = true;
  const image = content.image(['layer'], 'latest');
  const signature = content.image(['a signature without a subject']);
  content.fallbackIndex(image.digest, [signature.digest]);
  await rig.registry.listings.referrers(rig.repository, image.digest, '');
  await pull(signature.digest);
  for (const digest of signature.all) t.same(await leading(digest), [referrersTag(image.digest)]);
});

test('another replica knows at once what the first has written, and soon what it is writing', async (t) => {
  const { rig, content, pull, leading, place } = await rigOf(t);
  const other = rig.replica();
  const { layers } = content.image(['layer'], 'one', 'two');
  const [layer] = layers as [Digest];
  t.same(await leading(layer, other), []);
  await pull('one');
  await rig.settled();
  t.same(await leading(layer, other), ['one'], '"never seen" expires after seconds');
  await pull('two');
  t.same(await other.reach.tagsContaining(place, layer), ['one']);
  t.same(await other.reach.tagsContaining(place, layer, { afresh: true }), ['two', 'one']);
  t.same(await leading(layer, other), ['one', 'two']);
});

test('a tag that another replica saw moving leads to its new image', async (t) => {
  const { rig, content, pull, leading } = await rigOf(t);
  const other = rig.replica();
  content.image(['old'], 'latest');
  await pull('latest', other);
  const { all } = content.image(['new'], 'latest');
  rig.pass(70_000);
  await pull('latest');
  await rig.settled();
  for (const digest of all) t.same(await leading(digest, other), ['latest']);
});

test('records that cannot be read are neither yes nor no', async (t) => {
  const { rig, content, pull, place } = await rigOf(t);
  const { digest } = content.image(['layer'], 'latest');
  await pull('latest');
  await rig.settled();
  const later = rig.replica();
  const { get } = rig.store.records;
  const broken = () => Promise.reject(new Error('the store is down'));
  Object.assign(rig.store.records, { get: broken });
  await t.rejects(async () => later.reach.tagsContaining(place, digest), { code: 'UNAVAILABLE' });
  await t.rejects(async () => later.reach.tagContains(place, parseTag('latest'), digest), {
    code: 'UNAVAILABLE',
  });
  Object.assign(rig.store.records, { get });
  t.equal(await later.reach.tagContains(place, parseTag('latest'), digest), true);
});

test('a blob that was fetched under a tag of another repository is not reached from there', async (t) => {
  const { rig, content, pull, place } = await rigOf(t);
  const { layers } = content.image(['layer'], 'latest');
  const [layer] = layers as [Digest];
  await pull('latest');
  await readAll((await rig.registry.blobs.open(rig.repository, layer)).read());
  const elsewhere = { ...place, repository: 'openshift/other' as typeof rig.repository };
  t.same(await rig.reach.tagsContaining(elsewhere, layer), []);
  t.equal(await rig.reach.tagContains(elsewhere, parseTag('latest'), layer), false);
});

test('propagation delays no client: a second answer is ready, by tag and by digest', async (t) => {
  const { rig, content, pull } = await rigOf(t);
  const image = content.image(['layer']);
  const index = content.index([image.digest], 'latest');
  const ready = (reference: { tag: Tag } | { digest: Digest }) =>
    rig.registry.manifests.ready(rig.repository, reference);
  for (let round = 0; round < 2; round += 1) {
    await pull('latest');
    await pull(image.digest);
    await rig.settled();
  }
  t.ok(ready({ tag: parseTag('latest') }));
  t.ok(ready({ digest: index }));
  t.ok(ready({ digest: image.digest }));
  rig.pass(20_000);
  await pull('latest');
  t.ok(ready({ tag: parseTag('latest') }), 'and again, once its blobs are known to be deliverable');
});

test('a pull of one platform costs the upstream nothing for the others, and no wait', async (t) => {
  const { rig, content, pull, place } = await rigOf(t);
  const images = ['amd64', 'arm64', 's390x'].map((platform) => content.image(['base', platform]));
  content.index(
    images.map(({ digest }) => digest),
    'latest',
  );
  const [wanted] = images;
  await pull('latest');
  await pull(wanted?.digest ?? '');
  t.equal(rig.reach.tagContains(place, parseTag('latest'), wanted?.layers[1] as Digest), true);
  t.equal(rig.asked('/manifests/'), 2);
});

test('neither a word nor a meaning of a time that has not come yet gives a right', async (t) => {
  const { rig, content, pull, place } = await rigOf(t, { formerMs: day });
  const before = content.image(['old'], 'latest');
  await pull('latest');
  rig.pass(30 * day);
  const after = content.image(['new'], 'latest');
  await pull('latest');
  await rig.settled();
  rig.pass(-29 * day);
  const tag = parseTag('latest');
  const later = rig.replica();
  t.equal(await later.reach.tagContains(place, tag, before.digest), false);
  const asked = rig.asked('HEAD /v2/openshift/ci/manifests/latest');
  t.equal(await later.reach.tagContains(place, tag, after.digest), true);
  t.equal(rig.asked('HEAD /v2/openshift/ci/manifests/latest'), asked + 1, 'by a word of now');
});
