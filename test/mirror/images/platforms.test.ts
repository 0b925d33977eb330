import { test } from 'tap';
import { copyImage } from '../../../src/mirror/copy/copy.ts';
import { nodeOf } from '../../../src/mirror/images/graph.ts';
import { chosenPlatforms, type PlatformChoice } from '../../../src/mirror/images/platforms.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { app, copyRig, latest } from '../../support/copy-rig.ts';
import { indexImage, type MemoryImage, plainImage, textBlob } from '../../support/memory-images.ts';

const images = {
  amd64: plainImage('amd64', [textBlob('amd64')]),
  arm64: plainImage('arm64', [textBlob('arm64')]),
  armv7: plainImage('armv7', [textBlob('armv7')]),
};
const list = indexImage(
  [
    ['linux/amd64', images.amd64],
    ['linux/arm64', images.arm64],
    ['linux/arm/v7', images.armv7],
  ],
  mediaTypes.dockerList,
);

function chosen(image: MemoryImage, choice: PlatformChoice) {
  return chosenPlatforms(nodeOf(image.root, 'skip'), choice);
}

/** Which images a choice leaves, by name. */
function namesOf(image: MemoryImage, choice: PlatformChoice): string[] {
  const result = chosen(image, choice);
  if (result.kind === 'nothing') return [];
  const digests =
    result.kind === 'child' ? [result.child.digest] : result.node.children.map((it) => it.digest);
  return Object.entries(images)
    .filter(([, { root }]) => digests.includes(root.descriptor.digest))
    .map(([name]) => name);
}

test('a filter is matched against os/arch and os/arch/variant', async (t) => {
  t.same(namesOf(list, { filterByOs: /^linux\/arm/ }), ['arm64', 'armv7']);
  t.same(namesOf(list, { filterByOs: /^linux\/arm\/v7$/ }), ['armv7']);
  t.same(namesOf(list, { filterByOs: /.*/ }), ['amd64', 'arm64', 'armv7']);
  t.same(namesOf(list, {}), ['amd64', 'arm64', 'armv7']);
  t.same(namesOf(list, { filterByOs: /windows/ }), []);
});

test('a list that is kept stays byte for byte, over fewer children', async (t) => {
  const result = chosen(list, { filterByOs: /arm/ });
  t.match(result, { kind: 'node', node: { manifest: list.root } });
});

test('a list that is not kept is written anew, as shorter as it is', async (t) => {
  const shorter = indexImage(
    [
      ['linux/arm64', images.arm64],
      ['linux/arm/v7', images.armv7],
    ],
    mediaTypes.dockerList,
  );
  const result = chosen(list, { filterByOs: /arm/, keepManifestList: false });
  t.equal(result.kind === 'node' && result.node.manifest.descriptor.digest, shorter.root.descriptor.digest);
});

test('a list that loses nothing keeps its digest though it need not', async (t) => {
  const result = chosen(list, { filterByOs: /.*/, keepManifestList: false });
  t.match(result, { kind: 'node', node: { manifest: list.root } });
});

test('a list of one image that is not kept gives way to the image', async (t) => {
  const { descriptor } = images.armv7.root;
  const choice = { filterByOs: /v7/, keepManifestList: false };
  t.match(chosen(list, choice), { kind: 'child', child: { digest: descriptor.digest } });
  const { destination, run, image } = copyRig(list);
  t.match(await copyImage(image(choice), run), { outcome: 'copied', digest: descriptor.digest });
  t.equal(destination.contents(app).tags.get(latest), descriptor.digest);
  t.equal(destination.contents(app).manifests.size, 1);
  t.match(await copyImage(image(choice), run), { outcome: 'unchanged' });
});

test('a list that the destination has gives way too, when it is no longer kept', async (t) => {
  const { destination, run, image } = copyRig(list);
  destination.hold(app, list, latest);
  const { descriptor } = images.armv7.root;
  const choice = { filterByOs: /v7/, keepManifestList: false };
  t.match(await copyImage(image(choice), run), { outcome: 'copied', digest: descriptor.digest });
});

test('an image without a list is not asked for its platform', async (t) => {
  const choice = { filterByOs: /windows/ };
  t.match(chosen(images.amd64, choice), { kind: 'node', node: { manifest: images.amd64.root } });
});

test('nothing is written where no platform is wanted', async (t) => {
  const { destination, run, image } = copyRig(list);
  t.match(await copyImage(image({ filterByOs: /windows/ }), run), { outcome: 'filtered' });
  t.notMatch(destination.counts(), { 'put-manifest': Number });
});

test('a sparse list arrives where it is taken, and is a clear failure where it is not', async (t) => {
  const sparse = copyRig(list, { destination: { takesPartialManifests: true } });
  await copyImage(sparse.image({ filterByOs: /amd64/ }), sparse.run);
  t.equal(sparse.destination.contents(app).tags.get(latest), list.root.descriptor.digest);
  t.equal(sparse.destination.contents(app).manifests.size, 2);
  const strict = copyRig(list);
  await t.rejects(copyImage(strict.image({ filterByOs: /amd64/ }), strict.run), {
    kind: 'blob-unknown',
    message: /without a filter/,
  });
});
