import { readFile, truncate, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import type { ManifestBytes } from '../../../src/mirror/endpoints/endpoints.ts';
import { createFileChecks } from '../../../src/mirror/endpoints/file-checks.ts';
import type { ImageDirectory } from '../../../src/mirror/endpoints/image-directory.ts';
import { ocDirectory } from '../../../src/mirror/endpoints/oc-directory.ts';
import { ociLayout } from '../../../src/mirror/endpoints/oci-layout.ts';
import { allReferrers, allTags } from '../../../src/mirror/endpoints/reading.ts';
import { bytesOf, collected, type Descriptor } from '../../../src/oci/content.ts';
import { type Digest, digestOf, hexOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { exists } from './files.ts';

const repository = parseRepository('team/app');
const tag = parseTag('v1');
const config = Buffer.from('{"architecture":"amd64","os":"linux"}');
const layer = Buffer.alloc(100_000, 'layer');

interface Layout {
  readonly make: (path: string) => ImageDirectory;
  readonly blobFile: (path: string, digest: Digest) => string;
}

/** What holds for every layout is asked of each. */
const layouts: Readonly<Record<string, Layout>> = {
  'file://': {
    make: ocDirectory,
    blobFile: (path, digest) => join(path, 'v2', repository, 'blobs', digest),
  },
  'oci:': { make: ociLayout, blobFile: (path, digest) => join(path, 'blobs', 'sha256', hexOf(digest)) },
};

function described(bytes: Buffer): Descriptor {
  return { digest: digestOf(bytes), size: bytes.length };
}

function manifestOf(body: Readonly<Record<string, unknown>>, mediaType: string): ManifestBytes {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...body }));
  return { bytes, descriptor: { ...described(bytes), mediaType } };
}

const image = manifestOf({ config: described(config), layers: [described(layer)] }, mediaTypes.ociManifest);

async function put(directory: ImageDirectory, bytes: Buffer): Promise<void> {
  await directory.putBlob(repository, described(bytes), async () => bytesOf(bytes));
}

async function putImage(directory: ImageDirectory): Promise<void> {
  await put(directory, config);
  await put(directory, layer);
  await directory.putManifest(repository, { tag }, image);
}

async function bodyOf(directory: ImageDirectory, digest: Digest, start: number): Promise<Buffer | undefined> {
  const blob = await directory.openBlob(repository, digest, { start });
  return blob && Buffer.from(await collected(blob.body, 1_000_000));
}

for (const [scheme, { make, blobFile }] of Object.entries(layouts)) {
  const stage = (t: Test) => {
    const path = join(t.testdir({}), 'images');
    return { path, directory: make(path), again: () => make(path) };
  };

  test(`${scheme} gives back what was put, by tag and by digest`, async (t) => {
    const { directory, again } = stage(t);
    await putImage(directory);
    const { digest } = image.descriptor;
    const later = again();
    t.same(await later.statManifest(repository, { tag }), image.descriptor);
    t.match(await later.manifest(repository, { digest }), { kind: 'found', bytes: image.bytes });
    const head = await later.manifest(repository, { tag }, { method: 'HEAD' });
    t.match(head, { kind: 'found', descriptor: { digest }, bytes: undefined });
    t.same(await later.manifest(repository, { tag }, { etag: digest }), { kind: 'unchanged' });
    t.same(await Array.fromAsync(allTags(later, repository)), ['v1']);
    t.same(await bodyOf(later, digestOf(layer), 99_990), layer.subarray(99_990));
  });

  test(`${scheme} knows nothing of what was never put`, async (t) => {
    const { directory } = stage(t);
    t.equal(await directory.statBlob(repository, digestOf(layer)), undefined);
    t.equal(await directory.statManifest(repository, { tag }), undefined);
    t.same(await directory.manifest(repository, { tag }), { kind: 'absent' });
    t.equal(await directory.openBlob(repository, digestOf(layer)), undefined);
    t.same(await allReferrers(directory, repository, digestOf(layer)), []);
    await t.rejects(Array.fromAsync(allTags(directory, repository)), { code: 'NAME_UNKNOWN' });
  });

  test(`${scheme} keeps no blob that was cut or is not what its digest says`, async (t) => {
    const { path, directory } = stage(t);
    const wrong = { ...described(layer), digest: digestOf(config) };
    const cases = [
      { descriptor: wrong, bytes: layer },
      { descriptor: described(layer), bytes: layer.subarray(1) },
    ];
    for (const { descriptor, bytes } of cases) {
      const putting = directory.putBlob(repository, descriptor, async () => bytesOf(bytes));
      await t.rejects(putting, { code: 'UPSTREAM_INVALID' });
    }
    t.equal(await directory.statBlob(repository, digestOf(layer)), undefined);
    t.notOk(await exists(dirname(blobFile(path, digestOf(layer))), /./), 'no half file stays');
  });

  test(`${scheme} takes no manifest over a missing layer`, async (t) => {
    const { directory } = stage(t);
    await put(directory, config);
    const refused = directory.putManifest(repository, { tag }, image);
    await t.rejects(refused, { code: 'MANIFEST_BLOB_UNKNOWN', detail: { digest: digestOf(layer) } });
    t.equal(await directory.statManifest(repository, { tag }), undefined);
  });

  test(`${scheme} counts an image only while all its layers are whole, and repairs them`, async (t) => {
    const { path, directory, again } = stage(t);
    await putImage(directory);
    const file = blobFile(path, digestOf(layer));
    const damages = [() => truncate(file, 50), () => writeFile(file, Buffer.alloc(layer.length))];
    for (const damage of damages) {
      await damage();
      const later = again();
      t.equal(await later.statBlob(repository, digestOf(layer)), undefined);
      t.equal(await later.statManifest(repository, { tag }), undefined, 'nor does the image count');
      await put(later, layer);
      t.same(await later.statManifest(repository, { tag }), image.descriptor);
      t.same(await readFile(file), layer);
    }
  });

  test(`${scheme} hands on no damaged layer as a whole one`, async (t) => {
    const { path, directory } = stage(t);
    await putImage(directory);
    await truncate(blobFile(path, digestOf(layer)), 50);
    await t.rejects(bodyOf(directory, digestOf(layer), 0), {
      code: 'BLOB_UNKNOWN',
      message: 'the file does not match the digest in its name',
    });
  });

  test(`${scheme} counts an index only with all its manifests, but for the one who wrote it so`, async (t) => {
    const { directory, again } = stage(t);
    await putImage(directory);
    const missing = manifestOf({ config: described(config), layers: [] }, mediaTypes.ociManifest);
    const index = manifestOf({ manifests: [image.descriptor, missing.descriptor] }, mediaTypes.ociIndex);
    await directory.putManifest(repository, { tag }, index);
    t.same(await directory.statManifest(repository, { tag }), index.descriptor);
    t.equal(await again().statManifest(repository, { tag }), undefined);
    const later = again();
    await later.putManifest(repository, { digest: missing.descriptor.digest }, missing);
    t.same(await again().statManifest(repository, { tag }), index.descriptor);
  });

  test(`${scheme} keeps a manifest of an unknown type`, async (t) => {
    const { directory, again } = stage(t);
    const strange = manifestOf({ layers: [described(layer)] }, 'application/vnd.example.thing+json');
    await directory.putManifest(repository, { tag }, strange);
    t.same(await again().statManifest(repository, { tag }), strange.descriptor);
  });

  test(`${scheme} moves a tag, and lists what refers to a manifest by the fallback tag`, async (t) => {
    const { directory } = stage(t);
    await putImage(directory);
    const other = manifestOf({ config: described(config), layers: [] }, mediaTypes.ociManifest);
    await directory.putManifest(repository, { tag }, other);
    t.same(await directory.statManifest(repository, { tag }), other.descriptor);
    const fallback = parseTag(`sha256-${hexOf(image.descriptor.digest)}`);
    const list = manifestOf({ manifests: [other.descriptor] }, mediaTypes.ociIndex);
    await directory.putManifest(repository, { tag: fallback }, list);
    const [referrer] = await allReferrers(directory, repository, image.descriptor.digest);
    t.equal(referrer?.digest, other.descriptor.digest);
  });

  test(`${scheme} deletes what a killed process left half-written, an hour later`, async (t) => {
    const { path, directory, again } = stage(t);
    await put(directory, config);
    const [old, young] = ['old', 'young'].map(
      (name) => `${blobFile(path, digestOf(layer))}.${name}.download`,
    );
    for (const file of [old, young]) await writeFile(String(file), 'half');
    await utimes(String(old), new Date(0), new Date(0));
    await put(again(), layer);
    const files = dirname(blobFile(path, digestOf(layer)));
    t.notOk(await exists(files, /old\.download/));
    t.ok(await exists(files, /young\.download/));
  });

  test(`${scheme} stops writing when it is told to`, async (t) => {
    const { path, directory } = stage(t);
    const abort = new AbortController();
    const open = async () =>
      (async function* () {
        yield layer.subarray(0, 10);
        abort.abort(new Error('told to stop'));
        yield layer.subarray(10);
      })();
    const writing = directory.putBlob(repository, described(layer), open, { signal: abort.signal });
    await t.rejects(writing, { message: 'told to stop' });
    t.notOk(await exists(dirname(blobFile(path, digestOf(layer))), /./));
  });
}

test('a file that changes without changing its size is read again', async (t) => {
  const file = join(t.testdir({ blob: 'right' }), 'blob');
  const checks = createFileChecks();
  const digest = digestOf(Buffer.from('right'));
  await utimes(file, new Date(1_000), new Date(1_000));
  t.match(await checks.check(file, digest), { size: 5 });
  await writeFile(file, 'wrong');
  await utimes(file, new Date(2_000), new Date(2_000));
  t.equal(await checks.check(file, digest), undefined);
});
