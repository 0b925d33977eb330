import { test } from 'tap';
import { copyImages } from '../../../src/mirror/batch/copy-all.ts';
import { copyImage } from '../../../src/mirror/copy/copy.ts';
import { CopyError } from '../../../src/mirror/failure.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { app, copyRig, latest, quickRun } from '../../support/copy-rig.ts';
import { indexImage, manifestBytes, plainImage, textBlob } from '../../support/memory-images.ts';
import { signedSchema1 } from '../../support/schema1.ts';

const base = textBlob('base', 1_000);
const own = textBlob('own', 500);
const plain = plainImage('amd64', [base, own]);
const other = plainImage('arm64', [base, textBlob('arm', 700)]);
const index = indexImage([
  ['linux/amd64', plain],
  ['linux/arm64/v8', other],
]);
const nested = indexImage([['', index]]);

test('an image arrives whole and byte for byte, its tag last', async (t) => {
  const { source, destination, run, image } = copyRig(nested);
  const copied = await copyImage(image(), run);
  t.same(copied, { outcome: 'copied', digest: nested.root.descriptor.digest });
  const [there, here] = [destination.contents(app), source.contents(app)];
  t.same(there.tags, here.tags);
  t.same(there.manifests, here.manifests);
  t.same(there.blobs, here.blobs);
  const last = destination.calls.at(-1);
  t.match(last, { verb: 'put-manifest', reference: 'latest' });
});

test('each blob is asked for, opened and sent once', async (t) => {
  const { source, destination, run, image } = copyRig(index);
  await copyImage(image(), run);
  t.same(source.counts(), { 'head-manifest': 1, 'get-manifest': 3, 'open-blob': 5 });
  t.same(destination.counts(), { 'stat-manifest': 4, 'stat-blob': 5, 'put-blob': 5, 'put-manifest': 3 });
  t.match(run.report(), { blobs: { copied: 5, mounted: 0, present: 0, failed: 0 } });
  t.equal(run.report().bytes, destination.bytesReceived());
});

test('an unchanged image costs a HEAD at each side', async (t) => {
  const { source, destination, run, image } = copyRig(index);
  destination.hold(app, index, latest);
  t.match(await copyImage(image(), run), { outcome: 'unchanged' });
  t.same([source.counts(), destination.counts()], [{ 'head-manifest': 1 }, { 'stat-manifest': 1 }]);
});

test('a second copy sends what is missing and nothing else', async (t) => {
  const { destination, run, image } = copyRig(index);
  destination.hold(app, plain);
  await copyImage(image(), run);
  t.match(destination.counts(), { 'put-blob': 2, 'put-manifest': 2 });
});

test('another tag of what the destination has already costs no question about blobs', async (t) => {
  const { destination, run, image } = copyRig(plain);
  destination.hold(app, plain, parseTag('older'));
  t.match(await copyImage(image(), run), { outcome: 'copied' });
  t.same(destination.counts(), { 'stat-manifest': 2, 'put-manifest': 1 });
});

test('a copy inside of one registry mounts every blob', async (t) => {
  const { source, run, image } = copyRig(plain);
  const to = { repository: parseRepository('team/backup'), tag: latest };
  await copyImage(image({ destination: source, to }), run);
  t.match(source.counts(), { 'mount-blob': 3 });
  t.notMatch(source.counts(), { 'put-blob': Number });
  t.match(run.report(), { blobs: { mounted: 3, copied: 0 }, bytes: 0 });
});

test('what a registry will not mount is sent', async (t) => {
  const { source, run, image } = copyRig(plain, { source: { refusesMounts: true } });
  const to = { repository: parseRepository('team/backup'), tag: latest };
  await copyImage(image({ destination: source, to }), run);
  t.match(run.report(), { blobs: { mounted: 0, copied: 3 } });
});

test('force writes everything again', async (t) => {
  const { destination, run, image } = copyRig(index);
  destination.hold(app, index, latest);
  t.match(await copyImage(image({ force: true }), run), { outcome: 'copied' });
  t.same(destination.counts(), { 'put-blob': 5, 'put-manifest': 3 });
});

test('where manifests prove nothing, a blob that is missing below an unchanged tag is sent', async (t) => {
  const { destination, run, image } = copyRig(index);
  destination.hold(app, index, latest);
  destination.contents(app).blobs.delete(own.descriptor.digest);
  t.match(await copyImage(image({ trust: 'blobs' }), run), { outcome: 'copied' });
  t.match(destination.counts(), { 'stat-blob': 5, 'put-blob': 1 });
  t.notMatch(destination.counts(), { 'put-manifest': Number });
});

test('a blob of the wrong size is sent again', async (t) => {
  const { destination, run, image } = copyRig(plain);
  destination.contents(app).blobs.set(own.descriptor.digest, Buffer.from('short'));
  await copyImage(image(), run);
  t.ok(destination.contents(app).blobs.get(own.descriptor.digest)?.byteLength === 500);
});

test('a manifest by digest needs no tag', async (t) => {
  const { destination, run, image } = copyRig(plain);
  const { digest } = plain.root.descriptor;
  await copyImage(image({ from: { repository: app, reference: { digest } }, to: { repository: app } }), run);
  t.ok(destination.contents(app).manifests.has(digest));
  t.equal(destination.contents(app).tags.size, 0);
});

test('a 201 that keeps nothing is found out, and the blob is sent again', async (t) => {
  const { destination, run, image } = copyRig(plain, {
    destination: { lies201: new Set([own.descriptor.digest]) },
  });
  await copyImages([image()], run);
  t.match(destination.counts(), { 'put-blob': 4 });
  t.match(run.report(), { blobs: { copied: 3, failed: 0 } });
});

test('a destination that forgets a blob before its manifest gets it again', async (t) => {
  const { destination, run, image } = copyRig(plain, {
    destination: { forgets: new Set([own.descriptor.digest]) },
  });
  t.match(await copyImage(image(), run), { outcome: 'copied' });
  t.match(destination.counts(), { 'put-blob': 4, 'put-manifest': 2 });
});

test('a destination that pretends to have a blob gets all of them, once it refused the manifest twice', async (t) => {
  const { destination, run, image } = copyRig(plain, {
    destination: { pretendsToHave: new Map([[own.descriptor.digest, 500]]) },
  });
  t.match(await copyImage(image(), run), { outcome: 'copied' });
  t.match(destination.counts(), { 'put-manifest': 3 });
});

test('429 in the middle leaves the blob undone, and the image is tried again', async (t) => {
  let refusals = 2;
  const waits: number[] = [];
  const throttled = new RegistryError('TOOMANYREQUESTS', 'the upstream throttles requests');
  const { destination, run, image } = copyRig(plain, {
    destination: { fails: ({ verb }) => (verb === 'put-blob' && refusals-- > 0 ? throttled : undefined) },
    run: { events: { retried: ({ waitMs }) => waits.push(waitMs) } },
  });
  await copyImages([image()], run);
  t.match(destination.counts(), { 'put-blob': 5 });
  t.equal(waits.length, 1);
});

test('a Retry-After that is too long to wait for goes to the caller', async (t) => {
  const throttled = new RegistryError('TOOMANYREQUESTS', 'slow down', { retryAfterSeconds: 300 });
  const { destination, run, image } = copyRig(plain, {
    destination: { fails: ({ verb }) => (verb === 'put-blob' ? throttled : undefined) },
  });
  const failure = await copyImage(image(), run).catch((error: unknown) => error);
  t.match(failure, { kind: 'throttled', retryAfterSeconds: 300 });
  t.match(destination.counts(), { 'put-blob': 3 });
  t.notMatch(destination.counts(), { 'put-manifest': Number });
});

test('an upload that is cut goes on where it broke', async (t) => {
  const { destination, run, image } = copyRig(plain, { destination: { cutsUploadsAfter: 100 } });
  await copyImages([image()], run);
  t.same(destination.contents(app).blobs.get(base.descriptor.digest), base.bytes);
});

test('a layer that the source lost is unknown, and its manifest is not pushed', async (t) => {
  const { source, destination, run, image } = copyRig(plain);
  source.contents(app).blobs.delete(own.descriptor.digest);
  const failure = await copyImage(image(), run).catch((error: unknown) => error);
  t.match(failure, {
    kind: 'blob-unknown',
    message: [
      `blob ${own.descriptor.digest} of source.example/team/app`,
      `unknown blob: manifest ${plain.root.descriptor.digest} names it`,
    ].join(': '),
  });
  t.notMatch(destination.counts(), { 'put-manifest': Number });
  t.match(run.report(), { blobs: { failed: 1 } });
});

test('what is begun of an image is given up when a part of it is gone', async (t) => {
  const stuck = new Promise<void>(() => {});
  const { source, destination, run, image } = copyRig(plain, {
    destination: {
      delay: async ({ reference }) => (reference === base.descriptor.digest ? stuck : undefined),
    },
  });
  source.contents(app).blobs.delete(own.descriptor.digest);
  await t.rejects(copyImage(image(), run), { kind: 'blob-unknown', message: /unknown blob/ });
  t.notMatch(destination.counts(), { 'put-manifest': Number });
});

test('an index that the destination has says nothing of its children', async (t) => {
  const { destination, run, image } = copyRig(nested);
  destination.contents(app).manifests.set(index.root.descriptor.digest, index.root);
  await copyImage(image(), run);
  t.same(destination.contents(app).blobs.size, 5);
});

test('an index over a manifest that the source lost is not pushed', async (t) => {
  const { source, destination, run, image } = copyRig(index);
  source.contents(app).manifests.delete(other.root.descriptor.digest);
  await t.rejects(copyImage(image(), run), { kind: 'blob-unknown', message: /^manifest sha256:/ });
  t.notOk(destination.contents(app).tags.has(latest));
});

test('an image that the source does not have is gone', async (t) => {
  const { run, image } = copyRig(plain);
  const from = { repository: app, reference: { tag: parseTag('other') } };
  await t.rejects(copyImage(image({ from }), run), {
    kind: 'source-gone',
    message: /source\.example\/team\/app:other/,
  });
});

test('a source that breaks off in the middle is the source’s failure', async (t) => {
  const { run, image } = copyRig(plain, { source: { cutsDownloadsAfter: 10 } });
  await t.rejects(copyImage(image(), run), { kind: 'unavailable', message: /source\.example/ });
  const echo = new RegistryError('BLOB_UPLOAD_INVALID', 'too few bytes');
  const echoed = copyRig(plain, { source: { cutsDownloadsAfter: 10 }, destination: { echoes: echo } });
  await t.rejects(copyImage(echoed.image(), echoed.run), { message: /source\.example/ });
});

test('what is only to be filled is left alone where something is', async (t) => {
  const { destination, run, image } = copyRig(plain);
  destination.hold(app, other, latest);
  t.same(await copyImage(image({ overwrites: false }), run), {
    outcome: 'unchanged',
    digest: other.root.descriptor.digest,
    isKept: true,
  });
  t.same(destination.counts(), { 'stat-manifest': 1 });
  const empty = copyRig(plain);
  t.match(await copyImage(empty.image({ overwrites: false }), empty.run), { outcome: 'copied' });
  t.match(await copyImage(empty.image({ overwrites: false }), empty.run), { isKept: undefined });
});

test('a tag that appears while its image is being filled is left alone', async (t) => {
  for (const appeared of [other, plain]) {
    const { destination, run, image } = copyRig(plain);
    destination.misbehaviours.delay = async ({ verb }) => {
      if (verb === 'put-blob') destination.hold(app, appeared, latest);
    };
    const { digest } = appeared.root.descriptor;
    t.match(await copyImage(image({ overwrites: false }), run), { outcome: 'unchanged', digest });
    t.equal(destination.contents(app).tags.get(latest), digest);
    t.equal(destination.counts()['put-manifest'], undefined);
    t.match(destination.calls.at(-1), { verb: 'stat-manifest', reference: 'latest' });
  }
});

test('schema 1 is copied byte for byte where it is taken, and parked where it is not', async (t) => {
  const layers = [...plain.blobs.keys()].map((digest) => ({ blobSum: digest }));
  const payload = JSON.stringify({ schemaVersion: 1, name: 'x', fsLayers: layers }, undefined, 3);
  const bytes = signedSchema1(payload);
  const unsigned = manifestBytes(mediaTypes.dockerSchema1Signed, {});
  const root = { descriptor: { ...unsigned.descriptor, size: bytes.byteLength }, bytes };
  const old = { root, manifests: [root], blobs: plain.blobs };
  const taken = copyRig(old, { source: { hidesSizes: true } });
  await copyImage(taken.image(), taken.run);
  t.same(taken.destination.contents(app).manifests.get(root.descriptor.digest)?.bytes, bytes);
  const refused = copyRig(old, { destination: { refusesSchema1: true } });
  await t.rejects(copyImage(refused.image(), refused.run), { kind: 'schema-1', message: /schema 2/ });
  t.match(refused.destination.counts(), { 'put-manifest': 1 });
});

test('a manifest of an unknown type is copied as it is', async (t) => {
  const root = manifestBytes('application/vnd.example.thing.v1+json', { anything: true });
  const { destination, run, image } = copyRig({ root, manifests: [root], blobs: new Map() });
  await copyImage(image(), run);
  t.same(destination.contents(app).manifests.get(root.descriptor.digest)?.bytes, root.bytes);
});

test('foreign layers are copied when asked for', async (t) => {
  const foreign = { ...own.descriptor, urls: ['https://elsewhere.example/layer'] };
  const windows = plainImage('windows', [base], { otherLayers: [foreign] });
  const held = {
    ...windows,
    blobs: new Map([...windows.blobs, [own.descriptor.digest, own.bytes] as const]),
  };
  const without = copyRig(held);
  await copyImage(without.image(), without.run);
  t.notOk(without.destination.contents(app).blobs.has(own.descriptor.digest));
  const asked = copyRig(held);
  await copyImage(asked.image({ foreignLayers: 'copy' }), asked.run);
  t.ok(asked.destination.contents(app).blobs.has(own.descriptor.digest));
});

test('refusals say whose they are and what to do', async (t) => {
  const denied = new RegistryError('DENIED', 'the upstream refuses access to this repository');
  const source = copyRig(plain, { source: { fails: () => denied } });
  await t.rejects(copyImage(source.image(), source.run), { kind: 'denied', message: /may pull/ });
  const destination = copyRig(plain, { destination: { fails: () => denied } });
  await t.rejects(copyImage(destination.image(), destination.run), { kind: 'denied', message: /may push/ });
});

test('a failure of an unknown kind is named in the word of the system alone, and passes', async (t) => {
  const full = Object.assign(new Error('/secret/path'), { code: 'ENOSPC' });
  const rig = copyRig(plain, {
    destination: { fails: ({ verb }) => (verb === 'put-manifest' ? full : undefined) },
  });
  await t.rejects(copyImage(rig.image(), rig.run), {
    kind: 'unavailable',
    retry: /now|later/,
    message: /destination\.example\/team\/app: ENOSPC/,
  });
});

test('a caller that aborts a copy gets its reason, and nothing is tagged', async (t) => {
  const leaving = new AbortController();
  const { destination, run, image } = copyRig(plain, {
    destination: {
      delay: async ({ verb }) => {
        if (verb === 'put-blob') leaving.abort(new Error('enough'));
      },
      fails: ({ verb }) => (verb === 'put-blob' ? new Error('aborted') : undefined),
    },
  });
  await t.rejects(copyImage(image(), run, { signal: leaving.signal }), { message: 'enough' });
  t.equal(destination.contents(app).tags.size, 0);
});

test('indexes that lie too deep in each other are refused', async (t) => {
  let deep = index;
  for (let depth = 0; depth < 9; depth += 1) deep = indexImage([['', deep]]);
  const { run, image } = copyRig(deep);
  await t.rejects(copyImage(image(), run), { kind: 'manifest-invalid', message: /deep/ });
});

test('a failure never waits for pauses when nothing can pass', async (t) => {
  const invalid = new RegistryError('MANIFEST_INVALID', 'manifest invalid');
  const { run, image, destination } = copyRig(plain, {
    destination: { fails: ({ verb }) => (verb === 'put-manifest' ? invalid : undefined) },
    run: { firstPauseMs: 1_000_000 },
  });
  const failure = await copyImage(image(), run).catch((error: unknown) => error);
  t.ok(failure instanceof CopyError && failure.kind === 'manifest-invalid');
  t.match(destination.counts(), { 'put-manifest': 2, 'put-blob': 3 });
});

test('two copies of one run share what is under way', async (t) => {
  const { source, destination, image } = copyRig(index);
  const run = quickRun();
  const tags = ['one', 'two', 'three'].map((text) => parseTag(text));
  await Promise.all(tags.map((tag) => copyImage(image({ to: { repository: app, tag } }), run)));
  t.match(source.counts(), { 'open-blob': 5 });
  t.match(destination.counts(), { 'put-blob': 5, 'stat-blob': 5 });
  t.equal(destination.contents(app).tags.size, 3);
});
