import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { nextQueryOf } from '../../../src/upstream/client/listings.ts';
import { createWorkWatch } from '../../support/work-watch.ts';
import { app, refusalOf, rig } from '../rig.ts';

const from = new URL('https://quay.io/v2/team/app/tags/list?n=2');

test('tags come by page, and the next page is a query of ours', async (t) => {
  const { registry, upstream } = await rig(t);
  for (const tag of ['a', 'b', 'c']) registry.addImage('team/app', tag);
  const page = await upstream.tags(app, 'n=2');
  t.same(page?.tags, ['a', 'b']);
  t.equal(page?.nextQuery, 'n=2&last=b');
  const last = await upstream.tags(app, page?.nextQuery ?? '');
  t.same(last?.tags, ['c']);
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
  t.equal(nextQueryOf(['<?last=a>; title="rel=next"'], from), undefined);
  t.equal(nextQueryOf(['<?last=b>; title=x; rel = "last NEXT"'], from), 'last=b');
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

for (const code of [400, 404, 405, 410, 501]) {
  test(`${code} at the referrers end-point is no end-point`, async (t) => {
    const { registry, upstream, events } = await rig(t);
    const { digest } = registry.addImage('team/app', 'v1');
    registry.switches.status = { of: 'referrers', code };
    t.equal(await upstream.referrers(app, digest, ''), undefined);
    t.equal(registry.requests.length, 1);
    t.notOk(events.some((line) => /^(?:breaker|retried)/.test(line)));
  });
}

for (const [code, expected] of [
  [401, 'DENIED'],
  [403, 'DENIED'],
  [429, 'TOOMANYREQUESTS'],
  [503, 'UNAVAILABLE'],
] as const) {
  test(`${code} at the referrers end-point is ${expected}`, async (t) => {
    const { registry, upstream } = await rig(t, { retries: 0 });
    const { digest } = registry.addImage('team/app', 'v1');
    registry.switches.status = { of: 'referrers', code };
    t.equal((await refusalOf(upstream.referrers(app, digest, ''))).code, expected);
  });
}

for (const text of ['<!doctype html>', '{"Referrers":[]}', '[]', '', 'null', '{"manifests":{}}']) {
  test(`${JSON.stringify(text)} is no index of referrers`, async (t) => {
    const { registry, upstream } = await rig(t);
    const { digest } = registry.addImage('team/app', 'v1');
    registry.switches.referrersText = text;
    t.equal(await upstream.referrers(app, digest, ''), undefined);
  });
}

test('a list that nests deeper than any is read as no list', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = registry.addImage('team/app', 'v1');
  registry.switches.referrersText = `{"manifests":[${'['.repeat(200)}${']'.repeat(200)}]}`;
  t.equal(await upstream.referrers(app, digest, ''), undefined);
});

test('referrers that are sent on to a page of a site are none', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = registry.addImage('team/app', 'v1');
  for (const code of [200, 404] as const) {
    registry.switches.redirectsReferrers = `${registry.cdnUrl}/page`;
    registry.switches.status = { of: 'cdn', code };
    t.equal(await upstream.referrers(app, digest, ''), undefined);
  }
});

test('a link without brackets, as old quays write it, is followed; one of many words is read once', async (t) => {
  t.equal(nextQueryOf(['/v2/team/app/tags/list?last=b; rel="next"'], from), 'last=b');
  t.equal(nextQueryOf(['/v2/team/app/tags/list?last=b'], from), undefined);
  t.equal(nextQueryOf(['<?last=b>; title="x, y"; REL="prev next"'], from), 'last=b');
  t.equal(nextQueryOf([`<?a>${';rel='.repeat(60_000)}`], from), undefined);
});

test('a name that is no tag is not listed', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.addImage('team/app', 'v1","evil');
  t.same((await upstream.tags(app, ''))?.tags, ['v1']);
});

test('a Link line that is made to take long costs no time', async (t) => {
  const from = new URL('https://quay.io/v2/team/app/tags/list');
  const workMs = createWorkWatch();
  for (const filling of ['<', '<>', ';rel=', ';rel="', ';rel="\t', '<?a>;rel=" ', ' ', ';']) {
    for (const length of [8000, 64_000]) {
      t.equal(nextQueryOf([`<?a>;rel=${filling.repeat(length / filling.length)}`], from), undefined);
    }
  }
  t.ok(workMs() < 500, `${workMs()} ms`);
});
