import { test } from 'tap';
import { digestOf } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { parseRepository } from '../../src/oci/reference.ts';
import { nextQueryOf } from '../../src/upstream/listings.ts';
import { app, refusalOf, rig } from './rig.ts';

const from = new URL('https://quay.io/v2/team/app/tags/list?n=2');

test('tags come by page, and the next page is a query of ours', async (t) => {
  const { registry, upstream } = await rig(t);
  for (const tag of ['a', 'b', 'c']) registry.addImage('team/app', tag);
  const page = await upstream.tags(app, 'n=2');
  t.same(JSON.parse(Buffer.from(page?.bytes ?? []).toString()), { name: 'team/app', tags: ['a', 'b'] });
  t.equal(page?.nextQuery, 'n=2&last=b');
  const last = await upstream.tags(app, page?.nextQuery ?? '');
  t.same(JSON.parse(Buffer.from(last?.bytes ?? []).toString()), { name: 'team/app', tags: ['c'] });
  t.equal(last?.nextQuery, undefined);
});

test('tags of a repository that is not there are undefined', async (t) => {
  const { upstream } = await rig(t);
  t.equal(await upstream.tags(parseRepository('no/such'), ''), undefined);
});

test('a listing that is not JSON is refused', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.answersHtml = true;
  t.equal((await refusalOf(upstream.tags(app, ''))).code, 'UPSTREAM_INVALID');
});

test('a next link may be absolute, relative, and beside others', async (t) => {
  t.equal(
    nextQueryOf(['<https://quay.io/v2/team/app/tags/list?n=2&last=b>; rel="next"'], from),
    'n=2&last=b',
  );
  t.equal(nextQueryOf(['</v2/team/app/tags/list?last=b>; rel=next'], from), 'last=b');
  t.equal(nextQueryOf(['<?last=a>; rel="prev", <?last=b>; rel="next"'], from), 'last=b');
  t.equal(nextQueryOf(['<?last=a>; rel="prev"'], from), undefined);
  t.equal(nextQueryOf([], from), undefined);
});

test('referrers come as an index, filtered where the upstream filters', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest, manifest } = registry.addImage('team/app', 'v1');
  const artifact = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/vnd.example.sbom',
      layers: [],
      subject: { mediaType: mediaTypes.ociManifest, digest, size: manifest.length },
    }),
  );
  registry.addManifest('team/app', artifact, mediaTypes.ociManifest);
  const page = await upstream.referrers(app, digest, 'artifactType=application/vnd.example.sbom');
  t.match(page, { mediaType: mediaTypes.ociIndex, filtersApplied: 'artifactType' });
  t.match(JSON.parse(Buffer.from(page?.bytes ?? []).toString()), {
    manifests: [{ digest: digestOf(artifact) }],
  });
});

test('an upstream without referrers has undefined', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = registry.addImage('team/app', 'v1');
  registry.switches.lacksReferrers = true;
  t.equal(await upstream.referrers(app, digest, ''), undefined);
});

test('quay’s 400 for referrers of an unknown manifest is an empty index', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.refusesUnknownReferrers = true;
  const page = await upstream.referrers(app, digestOf(Buffer.from('unknown')), '');
  t.same(JSON.parse(Buffer.from(page?.bytes ?? []).toString()), {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [],
  });
});

test('another 400 is not', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = registry.addImage('team/app', 'v1');
  registry.switches.status = { of: 'referrers', code: 400, error: 'NAME_INVALID' };
  t.equal((await refusalOf(upstream.referrers(app, digest, ''))).code, 'UPSTREAM_INVALID');
});
