import { test } from 'tap';
import { copyImage } from '../../../src/mirror/copy/copy.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseTag } from '../../../src/oci/reference.ts';
import { app, copyRig, latest, quickRun } from '../../support/copy-rig.ts';
import { type MemoryImage, manifestBytes, plainImage, textBlob } from '../../support/memory-images.ts';

const layer = textBlob('layer', 300);
const settings = textBlob('{"layers":[]}');
const cacheConfig = { ...settings.descriptor, mediaType: 'application/vnd.buildkit.cacheconfig.v0' };

/** A cache as BuildKit pushes it: an index over layers and their configuration. */
function cacheIndex(): MemoryImage {
  const root = manifestBytes(mediaTypes.ociIndex, { manifests: [layer.descriptor, cacheConfig] });
  const blobs = new Map([layer, settings].map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  return { root, manifests: [root], blobs };
}

test('an index whose children are layers is copied, each layer as a blob', async (t) => {
  const { source, destination, run, image } = copyRig(cacheIndex(), {
    destination: { takesPartialManifests: true },
  });
  t.match(await copyImage(image(), run), { outcome: 'copied' });
  t.same(destination.contents(app).tags, source.contents(app).tags);
  t.same(destination.contents(app).blobs, source.contents(app).blobs);
  t.match(destination.counts(), { 'put-blob': 2, 'put-manifest': 1 });
  t.match(await copyImage(image(), quickRun()), { outcome: 'unchanged' });
});

test('an index of one layer is no list of one image: it is copied as it is', async (t) => {
  const root = manifestBytes(mediaTypes.ociIndex, { manifests: [cacheConfig] });
  const blobs = new Map([[settings.descriptor.digest, settings.bytes]]);
  const { source, destination, run, image } = copyRig(
    { root, manifests: [root], blobs },
    { destination: { takesPartialManifests: true } },
  );
  const digest = root.descriptor.digest;
  t.match(await copyImage(image({ keepManifestList: false }), run), { outcome: 'copied', digest });
  t.same(destination.contents(app).tags, source.contents(app).tags);
  t.same(destination.contents(app).blobs, source.contents(app).blobs);
});

test('the same is copied with its referrers, by force, and when only its layers are missing', async (t) => {
  const { source, destination, run, image } = copyRig(cacheIndex(), {
    destination: { takesPartialManifests: true },
  });
  const held = cacheIndex();
  destination.hold(app, { ...held, blobs: new Map() });
  await copyImage(image({ referrers: true }), run);
  t.same(destination.contents(app).blobs, source.contents(app).blobs);
  await copyImage(image({ force: true }), quickRun());
  t.match(destination.counts(), { 'put-blob': 4 });
});

test('a child of a type that is unknown is a manifest where the source has it as one', async (t) => {
  const wasm = plainImage('wasm', [layer]);
  const mediaType = 'application/vnd.example.manifest.v9+json';
  const child = { ...wasm.root, descriptor: { ...wasm.root.descriptor, mediaType } };
  const root = manifestBytes(mediaTypes.ociIndex, { manifests: [child.descriptor] });
  const index = { root, manifests: [child, root], blobs: new Map() };
  const { source, destination, run, image } = copyRig(index, {
    destination: { takesPartialManifests: true },
  });
  await copyImage(image(), run);
  t.same(destination.contents(app).manifests, source.contents(app).manifests);
});

test('a layer that the source lacks fails the image, with its name', async (t) => {
  const { run, image } = copyRig({ ...cacheIndex(), blobs: new Map() });
  await t.rejects(copyImage(image(), run), { kind: 'blob-unknown', message: /of source.example\/team\/app/ });
});

for (const [name, mediaType] of [
  ['OCI', mediaTypes.ociArtifact],
  ['ORAS', mediaTypes.orasArtifact],
] as const) {
  test(`an ${name} artifact manifest is copied with its blobs, by tag and as a referrer`, async (t) => {
    const plain = plainImage('amd64', [layer]);
    const root = manifestBytes(mediaType, {
      artifactType: 'application/vnd.example.sbom',
      blobs: [settings.descriptor],
      subject: plain.root.descriptor,
    });
    const artifact = {
      root,
      manifests: [root],
      blobs: new Map([[settings.descriptor.digest, settings.bytes]]),
    };
    const { source, destination, run, image } = copyRig(plain);
    const tag = parseTag('sbom');
    source.hold(app, artifact, tag);
    const there = { from: { repository: app, reference: { tag } }, to: { repository: app, tag } };
    await copyImage(image(there), run);
    t.same(destination.contents(app).manifests.get(root.descriptor.digest), root);
    t.ok(destination.contents(app).blobs.has(settings.descriptor.digest));
    const other = copyRig(plain);
    other.source.hold(app, artifact);
    await copyImage(other.image({ referrers: true }), other.run);
    t.same(other.destination.contents(app).manifests, other.source.contents(app).manifests);
    t.ok(other.destination.contents(app).tags.has(latest));
  });
}
