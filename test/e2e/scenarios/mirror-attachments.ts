import assert from 'node:assert/strict';
import { digestOf } from '../../../src/oci/digest.ts';
import { type GeneratedImage, generatedImage, pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { heldBlob } from '../../support/random-blobs.ts';
import { assertRegistryHolds } from '../fixtures/compare.ts';
import { mirrorCommand } from '../fixtures/mirror.ts';
import { mirrorStand, names } from '../fixtures/mirror-stand.ts';
import { flat } from '../fixtures/mirrored.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import { pushed } from '../fixtures/uploads.ts';
import type { Scenario, Scene } from '../scenario.ts';

const repository = 'ci/signed';
const ociIndex = 'application/vnd.oci.image.index.v1+json';

/**
 * What cosign keeps under tags, and caches of BuildKit, by the loop and by hand; crane is the
 * judge.
 */
export const mirrorAttachments: Scenario = {
  name: 'mirror-attachments',
  needs: ['docker-registry', 'crane'],
  async play(scene) {
    const { fact } = scene;
    const image = await imageOf('signed', ['linux/amd64', 'linux/arm64']);
    const plain = await imageOf('plain');
    const cache = buildCache();
    const attached = await attachments(image);
    const stand = await mirrorStand(scene, {
      yaml: ['signed:v1', 'plain:v1', 'signed:cache'].reduce(
        (text, each) => `${text}  ci/${each}:\n    image: ${names.elsewhere}/ci/${each}\n`,
        'supplementalCIImages:\n',
      ),
      before: async ({ elsewhere: { url } }) => {
        await pushImage(url, repository, 'v1', image);
        await pushImage(url, repository, 'cache', cache);
        await pushImage(url, 'ci/plain', 'v1', plain);
        for (const [tag, one] of attached) await pushImage(url, repository, tag, one);
      },
    });
    const { qci, elsewhere } = stand;
    await fact('the loop brings an image, and each tag of cosign before it', async () => {
      const tags = ['ci_signed_v1', 'ci_plain_v1', 'ci_signed_cache'].map((tag) => `${flat}:${tag}`);
      await until('all images are in QCI', async () => {
        const there = pushed(await qci.asked());
        return tags.every((tag) => there.includes(tag));
      });
      await assertRegistryHolds(qci.url, flat, 'ci_signed_v1', image);
      for (const [tag, one] of attached) await assertRegistryHolds(qci.url, flat, tag, one);
      const order = pushed(await qci.asked());
      for (const [tag] of attached)
        assert.ok(order.indexOf(`${flat}:${tag}`) < order.indexOf(`${flat}:ci_signed_v1`), tag);
    });
    await fact('an image without signatures cost one list of tags, and no look for one', async () => {
      const asked = (await elsewhere.asked()).filter(({ path }) => path.includes('/ci/plain/'));
      assert.equal(asked.filter(({ path }) => path.includes('/tags/list')).length, 1);
      assert.deepEqual(
        asked.filter(({ path }) => path.includes('/manifests/sha256-')),
        [],
      );
    });
    await byHand(scene, elsewhere, [['v1', image], ['cache', cache], ...attached]);
  },
};

async function byHand(
  scene: Scene,
  from: Registry,
  images: readonly (readonly [tag: string, image: GeneratedImage])[],
): Promise<void> {
  const { fact, stage } = scene;
  const [to, byCrane] = [
    await registry(scene, { name: 'by-hand' }),
    await registry(scene, { name: 'by-crane' }),
  ];
  const source = `${from.host}/${repository}`;
  const crane = (...args: string[]) => stage.run(scene.path('crane'), [...args, '--insecure']);
  await fact(
    'by hand, --referrers brings the tags of cosign, and a cache of BuildKit is copied',
    async () => {
      const mirror = await mirrorCommand(stage);
      for (const tag of ['v1', 'cache'])
        await mirror.run(['--referrers', `${source}:${tag}`, `${to.host}/${repository}:${tag}`]);
      for (const [tag, image] of images) await assertRegistryHolds(to.url, repository, tag, image);
    },
  );
  await fact('crane copies the same, and reads the same manifests from both', async () => {
    for (const [tag, { root }] of images) {
      await crane('copy', `${source}:${tag}`, `${byCrane.host}/${repository}:${tag}`);
      for (const { host } of [to, byCrane]) {
        const { bytes } = await crane('manifest', `${host}/${repository}:${tag}`);
        assert.equal(digestOf(bytes), root.descriptor.digest, `${host} ${tag}`);
      }
    }
  });
}

function imageOf(seed: string, platforms: readonly string[] = ['linux/amd64']): Promise<GeneratedImage> {
  return generatedImage({ seed, layers: [2_000, 40_000], mediaTypes: 'oci', platforms });
}

/** A signature of the index, and an attestation and a bill of materials of its first child. */
async function attachments(image: GeneratedImage): Promise<readonly (readonly [string, GeneratedImage])[]> {
  const [child] = image.manifests;
  const tagOf = (digest = '', suffix = '') => `${digest.replace(':', '-')}.${suffix}`;
  return [
    [tagOf(image.root.descriptor.digest, 'sig'), await imageOf('sig')],
    [tagOf(child?.descriptor.digest, 'att'), await imageOf('att')],
    [tagOf(child?.descriptor.digest, 'sbom'), await imageOf('sbom')],
  ];
}

/** An index over two layers and their configuration, as `--cache-to type=registry` pushes it. */
function buildCache(): GeneratedImage {
  const layer = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const blobs = [
    heldBlob(Buffer.alloc(50_000, 'one'), layer),
    heldBlob(Buffer.alloc(3_000, 'two'), layer),
    heldBlob(Buffer.from('{"layers":[],"records":[]}'), 'application/vnd.buildkit.cacheconfig.v0'),
  ];
  const manifests = blobs.map(({ descriptor }) => descriptor);
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests }));
  const descriptor = { mediaType: ociIndex, digest: digestOf(bytes), size: bytes.byteLength };
  return { root: { descriptor, bytes }, manifests: [], blobs };
}
