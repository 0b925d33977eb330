import { test } from 'tap';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { type CacheRig, cacheRig } from '../../support/cache-rig.ts';

const tagsOf = (rig: CacheRig, query = '') => rig.registry.listings.tags(rig.repository, query);
const textOf = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString());

async function rigWithTag(t: Parameters<typeof cacheRig>[0]) {
  const rig = await cacheRig(t);
  const { digest, manifest } = rig.double.addImage(rig.repository, 'latest');
  return { rig, digest, size: manifest.length };
}

test('a list is asked for once by all who wait, and again once it has aged', async (t) => {
  const { rig } = await rigWithTag(t);
  const [first] = await Promise.all(Array.from({ length: 20 }, () => tagsOf(rig)));
  t.same(textOf(first?.page.json ?? Buffer.from('')), ['latest']);
  t.equal((await tagsOf(rig)).hit, 'memory');
  t.equal(rig.asked('/tags/list'), 1);
  rig.pass(31_000);
  t.equal((await tagsOf(rig)).hit, 'upstream');
  t.equal(rig.asked('/tags/list'), 2);
});

test('an upstream that fails yields the older list with a warning and its age, until it is too old', async (t) => {
  const { rig } = await rigWithTag(t);
  await tagsOf(rig);
  rig.double.switches.down = true;
  rig.pass(120_000);
  const stale = await tagsOf(rig);
  t.match(stale, { hit: 'stale', ageSeconds: 120, notice: /^299 - ".*120 s ago"$/ });
  rig.pass(3_600_000);
  await t.rejects(tagsOf(rig), { code: 'UNAVAILABLE' });
});

const upstreamGone = (rig: CacheRig) => {
  rig.double.switches.down = true;
  rig.pass(31_000);
};

/** The pages from this one on, as a client walks them. */
async function walked(rig: CacheRig, from: string) {
  const tags: string[][] = [];
  for (let query: string | undefined = from; query !== undefined; ) {
    const { page }: Awaited<ReturnType<typeof tagsOf>> = await tagsOf(rig, query);
    tags.push(textOf(page.json));
    query = page.nextQuery;
  }
  return tags;
}

async function rigWithTags(t: Parameters<typeof cacheRig>[0], tags: readonly string[]) {
  const rig = await cacheRig(t);
  for (const tag of tags) rig.double.addImage(rig.repository, tag);
  return rig;
}

test('a list that is held as a whole answers every page of it, fresh without a question', async (t) => {
  const rig = await rigWithTags(t, ['a', 'b', 'c', 'd', 'e']);
  await tagsOf(rig);
  t.same(await walked(rig, 'n=2'), [['a', 'b'], ['c', 'd'], ['e']]);
  t.same(await walked(rig, 'n=2&last=bb'), [['c', 'd'], ['e']]);
  t.same(await walked(rig, 'last=c'), [['d', 'e']]);
  t.same(await walked(rig, 'n=0'), [[]]);
  t.same(await walked(rig, 'n=7&last=e'), [[]]);
  t.equal(rig.asked('/tags/list'), 1);
  upstreamGone(rig);
  t.same(await walked(rig, 'n=3'), [
    ['a', 'b', 'c'],
    ['d', 'e'],
  ]);
  t.match(await tagsOf(rig, 'n=3'), { hit: 'stale', notice: /^299 - ".*31 s ago"$/ });
});

test('a list that was walked to its end is whole, too, when the upstream is gone', async (t) => {
  const rig = await rigWithTags(t, ['a', 'b', 'c', 'd', 'e']);
  await walked(rig, 'n=2');
  upstreamGone(rig);
  t.same(await walked(rig, ''), [['a', 'b', 'c', 'd', 'e']]);
  t.same(await walked(rig, 'n=3&last=a'), [['b', 'c', 'd'], ['e']]);
  t.equal((await tagsOf(rig, 'n=1')).hit, 'stale');
});

test('a part of a list is never taken for the whole', async (t) => {
  const rig = await rigWithTags(t, ['a', 'b', 'c']);
  await tagsOf(rig, 'n=2');
  await tagsOf(rig, 'n=2&last=b');
  await tagsOf(rig, 'n=1');
  upstreamGone(rig);
  await t.rejects(tagsOf(rig), { code: 'UNAVAILABLE' });
  t.same(textOf((await tagsOf(rig, 'n=2&last=b')).page.json), ['c'], 'what was asked for is held');
  await t.rejects(tagsOf(rig, 'n=2&last=b&x=y'), { code: 'UNAVAILABLE' });
});

test('what is more than n and last is the upstream’s to answer', async (t) => {
  const rig = await rigWithTags(t, ['a', 'b']);
  await tagsOf(rig);
  for (const query of ['n=1&n=x', 'n=1&next_page=x', 'last=a&last=b', 'n=']) await tagsOf(rig, query);
  t.equal(rig.asked('/tags/list'), 5);
});

test('a page that a registry without links ends at n may not be the last one', async (t) => {
  const rig = await rigWithTags(t, ['a', 'b', 'c']);
  rig.double.switches.omitsLinks = true;
  await tagsOf(rig, 'n=2');
  t.same(textOf((await tagsOf(rig)).page.json), ['a', 'b', 'c']);
});

test('a registry that knows no pages has its list cut for it', async (t) => {
  const rig = await rigWithTags(t, ['a', 'b', 'c']);
  rig.double.switches.ignoresPageSize = true;
  t.same(await walked(rig, 'n=2'), [['a', 'b'], ['c']]);
  t.equal(rig.asked('/tags/list'), 1);
});

test('a repository that is gone is gone, whatever its list once was', async (t) => {
  const { rig } = await rigWithTag(t);
  await tagsOf(rig);
  rig.double.switches.status = { of: 'tags', code: 404 };
  rig.pass(31_000);
  await t.rejects(tagsOf(rig), { code: 'NAME_UNKNOWN' });
  await t.rejects(rig.registry.listings.tags(parseRepository('no/where'), ''), { code: 'NAME_UNKNOWN' });
});

test('without the referrers API the index under the fallback tag is the answer, filtered by us', async (t) => {
  const { rig, digest, size } = await rigWithTag(t);
  rig.double.switches.lacksReferrers = true;
  const referrers = (artifactType?: string) =>
    rig.registry.listings.referrers(rig.repository, digest, `artifactType=${artifactType}`, artifactType);
  t.same(textOf((await referrers()).page.bytes).manifests, [], 'none is an empty index');
  const entry = { mediaType: mediaTypes.ociManifest, digest, size };
  const manifests = ['a/b', 'c/d'].map((artifactType) => ({ ...entry, artifactType }));
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  rig.double.addManifest(rig.repository, index, mediaTypes.ociIndex, digest.replace(':', '-'));
  rig.pass(31_000);
  const { page } = await referrers('c/d');
  t.same(textOf(page.bytes).manifests, [manifests[1]]);
  t.equal(page.filtersApplied, 'artifactType');
  t.same(textOf((await referrers()).page.bytes).manifests, manifests);
});
