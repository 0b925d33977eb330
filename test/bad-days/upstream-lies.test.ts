import { test } from 'tap';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { blobKey } from '../../src/store/keys.ts';
import type { Misbehaviours } from '../support/registry-misbehaviours.ts';
import { badDay, digestOrCut, holdsOnly, refusal } from './rig.ts';

/** Of a blob: the next one that comes may be right. */
const passing = { status: 429, code: 'TOOMANYREQUESTS', retryAfter: 1 };
const invalid = { status: 502, code: 'UPSTREAM_INVALID' };

/** What an upstream may say of a manifest that cannot be believed. */
const manifestLies: readonly (readonly [what: string, Misbehaviours])[] = [
  ['a wrong byte under the right digest', { servesWrongBytes: true }],
  ['another digest', { liesAboutDigest: true }],
  ['HTML with 200', { answersHtml: true }],
];

for (const [what, lie] of manifestLies) {
  test(`a manifest with ${what} is 502, and the next pull is right`, async (t) => {
    const { get, double, image, directory } = await badDay(t);
    Object.assign(double.switches, lie);
    t.match(await refusal(await get('manifests/tools')), invalid);
    t.match(await refusal(await get(`manifests/${image.digest}`)), invalid);
    await holdsOnly(directory);
    for (const name of Object.keys(lie)) Reflect.deleteProperty(double.switches, name);
    t.equal(await digestOrCut(await get('manifests/tools')), image.digest);
  });
}

test('a manifest of more than 4 MiB is 502, whether its length is told or not', async (t) => {
  const { get, double, directory } = await badDay(t);
  const padding = 'x'.repeat(4 * 1024 * 1024);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [], padding };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = double.addManifest('openshift/ci', bytes, mediaTypes.ociManifest, 'huge');
  for (const chunked of [false, true]) {
    double.switches.chunked = chunked;
    t.match(await refusal(await get('manifests/huge')), invalid);
    t.match(await refusal(await get(`manifests/${digest}`)), invalid);
  }
  await holdsOnly(directory);
  t.equal((await get('manifests/tools')).status, 200);
});

test('a manifest with a media type that is none is answered with its own', async (t) => {
  const { get, double, image } = await badDay(t);
  double.switches.wrongMediaType = 'text/plain';
  const response = await get('manifests/tools');
  t.equal(response.headers.get('content-type'), mediaTypes.ociManifest);
  t.equal(await digestOrCut(response), image.digest);
});

test('listings have types of ours, whatever the upstream calls them', async (t) => {
  const { get, double, image } = await badDay(t);
  double.switches.wrongMediaType = 'text/html';
  const typeOf = async (path: string) => (await get(path)).headers.get('content-type');
  t.equal(await typeOf('tags/list'), 'application/json');
  t.equal(await typeOf(`referrers/${image.digest}`), mediaTypes.ociIndex);
});

test('something that no manifest type fits is 502', async (t) => {
  const { get, double } = await badDay(t);
  double.addManifest('openshift/ci', Buffer.from('{"schemaVersion": 2}'), 'application/json', 'odd');
  double.addManifest('openshift/ci', Buffer.from('[1, 2'), mediaTypes.ociManifest, 'broken');
  t.match(await refusal(await get('manifests/odd')), invalid);
  t.match(await refusal(await get('manifests/broken')), invalid);
});

test('HTML with 200 instead of a listing is 502', async (t) => {
  const { get, double, image } = await badDay(t);
  double.switches.answersHtml = true;
  t.match(await refusal(await get('tags/list')), invalid);
  t.match(await refusal(await get(`referrers/${image.digest}`)), invalid);
});

/** What can be told from the head of a blob's answer. */
const blobHeadLies: readonly (readonly [what: string, Misbehaviours])[] = [
  ['another digest', { liesAboutDigest: true }],
  ['HTML with 200', { answersHtml: true }],
];

for (const [what, lie] of blobHeadLies) {
  test(`a blob with ${what} is refused before its first byte, and the next pull is right`, async (t) => {
    const { getLayer, double, layer, directory } = await badDay(t);
    Object.assign(double.switches, lie);
    t.match(await refusal(await getLayer()), passing);
    t.match((await getLayer({ method: 'HEAD' })).status, 429);
    await holdsOnly(directory);
    for (const name of Object.keys(lie)) Reflect.deleteProperty(double.switches, name);
    t.equal(await digestOrCut(await getLayer()), layer.digest);
  });
}

/** What only shows when the last byte of a blob has come: by then the head is with the client. */
const blobBodyLies: readonly (readonly [what: string, Misbehaviours])[] = [
  ['a wrong byte', { servesWrongBytes: true }],
  ['ten bytes less than were promised', { liesAboutLength: true }],
  ['a wrong byte and no length', { servesWrongBytes: true, chunked: true }],
  ['an unrequested coding', { gzips: true }],
];

for (const [what, lie] of blobBodyLies) {
  test(`a blob with ${what} never ends well, is never stored, and the next pull is right`, async (t) => {
    const { getLayer, get, double, image, layer, directory } = await badDay(t);
    await get('manifests/tools');
    const manifest = [blobKey(image.digest)];
    await holdsOnly(directory, manifest);
    Object.assign(double.switches, lie);
    const answers = await Promise.all([getLayer(), getLayer(), getLayer()]);
    for (const answer of answers) {
      if (answer.ok) t.equal(await digestOrCut(answer), 'cut');
      else t.match(await refusal(answer), passing);
    }
    await holdsOnly(directory, manifest);
    for (const name of Object.keys(lie)) Reflect.deleteProperty(double.switches, name);
    const right = await getLayer();
    t.equal(right.headers.get('quayside-cache'), 'miss; fill');
    t.equal(await digestOrCut(right), layer.digest);
  });
}

test('a range of a blob with a wrong byte elsewhere leaves nothing in the store', async (t) => {
  const { getLayer, double, directory } = await badDay(t);
  double.switches.servesWrongBytes = true;
  await digestOrCut(await getLayer({ headers: { range: 'bytes=0-99' } }));
  await holdsOnly(directory);
});

test('a manifest that lies about a blob’s size changes nothing: the blob is what its digest says', async (t) => {
  const { get, double } = await badDay(t);
  const digest = double.addBlob('openshift/ci', Buffer.alloc(200_000, 'long'));
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 100_000 }],
  };
  double.addManifest('openshift/ci', Buffer.from(JSON.stringify(manifest)), mediaTypes.ociManifest, 'odd');
  t.equal((await get('manifests/odd')).status, 200);
  for (const attempt of ['cold', 'warm']) {
    const answer = await get(`blobs/${digest}`);
    t.equal(answer.headers.get('content-length'), '200000');
    t.equal(await digestOrCut(answer), digest, attempt);
  }
});

test('a body that is dropped after n bytes goes on from there, and the client does not notice', async (t) => {
  const { getLayer, double, layer } = await badDay(t);
  double.switches.dropsAfter = { bytes: 150_000, times: 2 };
  t.equal(await digestOrCut(await getLayer()), layer.digest);
  const asked = double.seen(`GET /v2/openshift/ci/blobs/${layer.digest}`);
  t.same(
    asked.map(({ headers }) => headers.range),
    [undefined, 'bytes=150000-399999', 'bytes=300000-399999'],
  );
});

test('a blob that vanishes in the middle cuts the client off, and leaves nothing', async (t) => {
  const { getLayer, double, layer, directory } = await badDay(t, {
    upstream: { progressTimeoutMs: '500ms' },
  });
  double.switches.stallsAfter = { bytes: 150_000, times: 1 };
  const answer = await getLayer();
  double.switches.status = { of: 'blobs', code: 404 };
  t.equal(answer.status, 200);
  t.equal(await digestOrCut(answer), 'cut');
  await holdsOnly(directory);
  delete double.switches.status;
  t.equal(await digestOrCut(await getLayer()), layer.digest);
});
