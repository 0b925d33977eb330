import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { acceptManifests, maxManifestBytes, mediaTypes } from '../../../src/oci/manifest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { forgedSchema1, signedSchema1 } from '../../support/schema1.ts';
import { app, lines, refusalOf, rig, v1 } from '../rig.ts';

test('a manifest comes with its bytes, digest, size, media type and entity tag', async (t) => {
  const { registry, upstream } = await rig(t);
  const image = registry.addImage('team/app', 'v1');
  t.match(await upstream.manifest(app, v1), {
    kind: 'found',
    descriptor: { digest: image.digest, size: image.manifest.length, mediaType: mediaTypes.ociManifest },
    bytes: image.manifest,
    etag: `"${image.digest}"`,
    warnings: [],
  });
});

test('every media type is accepted, and the bytes as they are', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  await upstream.manifest(app, v1);
  t.match(registry.requests[0]?.headers, { accept: acceptManifests, 'accept-encoding': 'identity' });
});

test('a manifest that is not there is absent', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  t.match(await upstream.manifest(app, parseReference('v2')), {
    kind: 'absent',
    reply: { status: 404, said: 'MANIFEST_UNKNOWN: no such manifest' },
  });
});

test('an expired tag of quay is absent', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.status = { of: 'manifests', code: 404, error: 'TAG_EXPIRED' };
  t.match(await upstream.manifest(app, v1), { kind: 'absent', reply: { said: /^TAG_EXPIRED: / } });
});

test('a manifest whose entity tag still fits is unchanged', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = registry.addImage('team/app', 'v1');
  const held = await upstream.manifest(app, v1, { method: 'HEAD', etag: `"${digest}"` });
  t.same(held, { kind: 'unchanged' });
  t.same(lines(registry), ['HEAD manifests 304']);
});

test('a HEAD costs one request and brings no bytes', async (t) => {
  const { registry, upstream } = await rig(t);
  const image = registry.addImage('team/app', 'v1');
  const answer = await upstream.manifest(app, v1, { method: 'HEAD' });
  t.match(answer, { kind: 'found', descriptor: { digest: image.digest, size: image.manifest.length } });
  t.notOk('bytes' in answer);
  t.same(lines(registry), ['HEAD manifests 200']);
});

for (const peculiarity of ['omitsDigestHeader', 'chunked', 'answersHtml'] as const) {
  test(`a HEAD that does not say enough (${peculiarity}) becomes a GET`, async (t) => {
    const { registry, upstream } = await rig(t);
    const image = registry.addImage('team/app', 'v1');
    registry.switches[peculiarity] = true;
    const asked = upstream.manifest(app, v1, { method: 'HEAD' });
    if (peculiarity === 'answersHtml') t.equal((await refusalOf(asked)).code, 'UPSTREAM_INVALID');
    else t.match(await asked, { kind: 'found', descriptor: { digest: image.digest } });
    t.same(lines(registry), ['HEAD manifests 200', 'GET manifests 200']);
  });
}

for (const code of [403, 405]) {
  test(`a HEAD refused with ${code} becomes a GET`, async (t) => {
    const { registry, upstream } = await rig(t);
    const image = registry.addImage('team/app', 'v1');
    registry.switches.status = { of: 'manifests', code, times: 1 };
    const answer = await upstream.manifest(app, v1, { method: 'HEAD' });
    t.match(answer, { kind: 'found', descriptor: { digest: image.digest } });
  });
}

test('a digest header that does not fit the bytes is a lie', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.liesAboutDigest = true;
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UPSTREAM_INVALID');
});

test('bytes that do not fit the digest asked for are refused', async (t) => {
  const { registry, upstream, events } = await rig(t);
  const { digest } = registry.addImage('team/app', 'v1');
  Object.assign(registry.switches, { servesWrongBytes: true, omitsDigestHeader: true });
  t.equal((await refusalOf(upstream.manifest(app, { digest }))).code, 'UPSTREAM_INVALID');
  t.ok(events.includes('wrong manifest'), 'and counted');
});

test('without a digest header the bytes of a tag must fit an entity tag that is a digest', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  Object.assign(registry.switches, { servesWrongBytes: true, omitsDigestHeader: true });
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UPSTREAM_INVALID');
});

test('a HEAD that names another digest than asked for is a lie', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = registry.addImage('team/app', 'v1');
  registry.switches.liesAboutDigest = true;
  const asked = upstream.manifest(app, { digest }, { method: 'HEAD' });
  t.equal((await refusalOf(asked)).code, 'UPSTREAM_INVALID');
});

test('a manifest asked for by sha512 keeps that digest', async (t) => {
  const { registry, upstream } = await rig(t);
  const { manifest } = registry.addImage('team/app', 'v1');
  const digest = digestOf(manifest, 'sha512');
  t.match(await upstream.manifest(app, { digest }), { descriptor: { digest } });
  registry.switches.servesWrongBytes = true;
  t.equal((await refusalOf(upstream.manifest(app, { digest }))).code, 'UPSTREAM_INVALID');
});

test('a page of HTML with status 200 is no manifest', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.answersHtml = true;
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UPSTREAM_INVALID');
});

test('a wrong Content-Type gives way to what the manifest says of itself', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.wrongMediaType = 'application/json';
  const answer = await upstream.manifest(app, v1);
  t.match(answer, { descriptor: { mediaType: mediaTypes.ociManifest } });
});

test('a manifest over the limit is refused, and the limit is named', async (t) => {
  const { registry, upstream } = await rig(t);
  const large = Buffer.from(JSON.stringify({ layers: [], padding: 'x'.repeat(maxManifestBytes) }));
  registry.addManifest('team/app', large, mediaTypes.ociManifest, 'v1');
  const refusal = await refusalOf(upstream.manifest(app, v1));
  t.equal(refusal.code, 'UPSTREAM_INVALID');
  t.same(refusal.detail, { maxBytes: maxManifestBytes });
});

test('a warning of the upstream is handed on', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.warning = '299 - "this repository is moving"';
  t.match(await upstream.manifest(app, v1), { warnings: ['299 - "this repository is moving"'] });
});

test('a manifest that breaks off is asked for again', async (t) => {
  const { registry, upstream, events } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.dropsRequests = 1;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.ok(events.includes('retried network'));
});

test('that a signed schema 1 manifest has a digest is believed of the document alone', async (t) => {
  const { registry, upstream } = await rig(t);
  const payload = '{\n "schemaVersion": 1,\n "fsLayers": []\n}';
  const mediaType = mediaTypes.dockerSchema1Signed;
  const digest = registry.addManifest('team/app', signedSchema1(payload), mediaType, 'v1');
  t.match(await upstream.manifest(app, v1, { method: 'HEAD' }), { kind: 'found', descriptor: { digest } });
  t.same(lines(registry), ['HEAD manifests 200', 'GET manifests 200']);
  const { digest: claimed, manifest } = registry.addImage('team/app', 'v2');
  const bytes = forgedSchema1(manifest, { fsLayers: [] });
  registry.believeManifest('team/app', { bytes, mediaType, digest: claimed }, 'v1');
  for (const method of ['HEAD', 'GET'] as const)
    await t.rejects(upstream.manifest(app, v1, { method }), { code: 'UPSTREAM_INVALID' });
});

test('a HEAD whose length is 0 becomes a GET', async (t) => {
  const { registry, upstream } = await rig(t);
  const image = registry.addImage('team/app', 'v1');
  registry.switches.statesNoLength = true;
  t.match(await upstream.manifest(app, v1, { method: 'HEAD' }), {
    kind: 'found',
    descriptor: { digest: image.digest, size: image.manifest.length },
  });
});
