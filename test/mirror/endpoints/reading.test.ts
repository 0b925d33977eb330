import { test } from 'tap';
import { allReferrers, allTags, confirmedByGet } from '../../../src/mirror/endpoints/reading.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { referrersTag } from '../../../src/oci/referrers-tag.ts';
import { app, bytesOfBlob, refusalOf, rig, v1 } from '../../upstream/rig.ts';

test('every tag is listed, over all pages', async (t) => {
  const { registry, upstream } = await rig(t);
  for (let tag = 0; tag < 2_500; tag += 1) {
    registry.addManifest('team/app', Buffer.from('{}'), mediaTypes.ociManifest, `t${tag}`);
  }
  const tags: string[] = [];
  for await (const tag of allTags(upstream, app)) tags.push(tag);
  t.equal(tags.length, 2_500);
  t.equal(new Set(tags).size, 2_500);
  t.equal(registry.seen('/tags/list').length, 3);
});

test('a tag that is listed twice, on one page or on two, is one', async (t) => {
  const { upstream } = await rig(t);
  const pageOf = (...tags: string[]) => ({ tags: tags.map(parseTag), warnings: [] });
  const twice = {
    ...upstream,
    tags: async (_: unknown, query: string) =>
      query === 'last=b' ? pageOf('b', 'c') : { ...pageOf('a', 'a', 'b'), nextQuery: 'last=b' },
  };
  t.same(await Array.fromAsync(allTags(twice, app)), ['a', 'b', 'c']);
});

test('an image that HEAD does not find is there when GET finds it', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = registry.addImage('team/app', 'v1');
  registry.switches.hidesManifests = 'HEAD';
  const stated = await confirmedByGet(upstream).manifest(app, v1, { method: 'HEAD' });
  t.match(stated, { kind: 'found', descriptor: { digest } });
  t.notOk('bytes' in stated);
  registry.removeTag('team/app', 'v1');
  t.match(await confirmedByGet(upstream).manifest(app, v1, { method: 'HEAD' }), { kind: 'absent' });
});

test('the tags of no repository are refused', async (t) => {
  const { upstream } = await rig(t);
  const tags = allTags(upstream, parseRepository('team/none'))[Symbol.asyncIterator]();
  t.match(await refusalOf(Promise.resolve(tags.next())), {
    code: 'NAME_UNKNOWN',
    detail: { repository: 'team/none' },
  });
});

test('a listing that goes in a circle is refused', async (t) => {
  const { upstream } = await rig(t);
  const page = { tags: [parseTag('a')], warnings: [] };
  const circling = { ...upstream, tags: async () => ({ ...page, nextQuery: 'n=1000' }) };
  const listed = async (): Promise<void> => {
    for await (const tag of allTags(circling, app)) t.equal(tag, 'a');
  };
  t.equal((await refusalOf(listed())).code, 'UPSTREAM_INVALID');
});

test('referrers are listed by the API, or by the tag that stands in for it', async (t) => {
  const { registry, upstream } = await rig(t);
  const subject = registry.addImage('team/app', 'v1');
  t.same(await allReferrers(upstream, app, subject.digest), []);
  const artifact = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: subject.config, size: 2 },
      layers: [],
      subject: { mediaType: mediaTypes.ociManifest, digest: subject.digest, size: 2 },
    }),
  );
  const digest = registry.addManifest('team/app', artifact, mediaTypes.ociManifest);
  t.match(await allReferrers(upstream, app, subject.digest), [{ digest, size: artifact.length }]);
  registry.switches.lacksReferrers = true;
  t.same(await allReferrers(upstream, app, subject.digest), []);
  const manifests = [{ mediaType: mediaTypes.ociManifest, digest, size: artifact.length }];
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  registry.addManifest('team/app', index, mediaTypes.ociIndex, referrersTag(subject.digest));
  t.same(await allReferrers(upstream, app, subject.digest), manifests);
});

test('manifests and blobs come from the upstream', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest, layers } = registry.addImage('team/app', 'v1');
  const source = confirmedByGet(upstream);
  t.match(await source.manifest(app, v1), { kind: 'found', descriptor: { digest } });
  const [layer] = layers;
  if (layer === undefined) throw new Error('no layer');
  t.same(
    await bytesOfBlob(await source.openBlob(app, layer.digest, { start: 10 })),
    layer.bytes.subarray(10),
  );
});
