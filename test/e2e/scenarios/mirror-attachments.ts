import assert from 'node:assert/strict';
import { heldBlob } from '../../../src/load/images/random-blobs.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { type GeneratedImage, generatedImage, pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { assertRegistryHolds } from '../fixtures/compare.ts';
import { mirrorCommand } from '../fixtures/mirror.ts';
import { type MirrorStand, mirrorLines, mirrorStand, names } from '../fixtures/mirror-stand.ts';
import { flat } from '../fixtures/mirrored.ts';
import { command } from '../fixtures/quayside.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import { pushed } from '../fixtures/uploads.ts';
import type { Scenario, Scene } from '../scenario.ts';

const repository = 'ci/signed';
const ociIndex = 'application/vnd.oci.image.index.v1+json';

/**
 * What cosign keeps under tags, and caches of BuildKit, by the loop and by hand, with crane as the
 * judge; a hold; and the names of a flat repository.
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
    await held(scene, stand, image, plain);
    await flatNames(scene, stand.qci, image);
    await byHand(scene, elsewhere, [['v1', image], ['cache', cache], ...attached]);
  },
};

/** As after a revert: the older image stands in QCI, the newer one at the source. */
async function held(
  { fact, stage }: Scene,
  stand: MirrorStand,
  older: GeneratedImage,
  newer: GeneratedImage,
): Promise<void> {
  const { qci, elsewhere, proxy } = stand;
  const destination = `${names.qci}/${flat}:ci_signed_v1`;
  const order = async () => {
    const body = JSON.stringify({ source: `${names.elsewhere}/${repository}:v1`, destination });
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`${proxy.admin}/api/v1/mirrors`, { method: 'POST', headers, body })).status;
  };
  const quayside = (...words: string[]) =>
    stage.run(process.execPath, [command, 'mirror', ...words, '--admin', proxy.admin, destination]);
  await fact('a held image is not overwritten, also after a restart, and the log says so', async () => {
    await quayside('hold', '--why', 'reverted');
    await proxy.stop();
    await proxy.start();
    await pushImage(elsewhere.url, repository, 'v1', newer);
    assert.equal(await order(), 202);
    const isSaid = async () =>
      (await mirrorLines(stand)).some(({ msg }) => msg === 'Held by an operator, skipping mirror');
    await until('the log says that it is held', isSaid);
    const shown = await (await fetch(`${stand.api}/v1/mirrors?action=show&limit=9&state=parked`)).text();
    assert.match(shown, /"kind":"held".*reverted/);
    await assertRegistryHolds(qci.url, flat, 'ci_signed_v1', older);
  });
  await fact('once it is released, the image is copied', async () => {
    await qci.forget();
    await quayside('release');
    await until('the image is in QCI', async () =>
      pushed(await qci.asked()).includes(`${flat}:ci_signed_v1`),
    );
    await assertRegistryHolds(qci.url, flat, 'ci_signed_v1', newer);
    await pushImage(elsewhere.url, repository, 'v1', older);
  });
}

async function flatNames(scene: Scene, qci: Registry, image: GeneratedImage): Promise<void> {
  const { fact, stage } = scene;
  const to = await registry(scene, { name: 'by-prefix' });
  await fact(
    'DST:* gives the tags of a flat repository short names, without stages and backups',
    async () => {
      for (const tag of ['lvms_op_v4.20', 'lvms_op_v4.20__pre', 'lvms_op_v4.21_incoming'])
        await pushImage(qci.url, flat, tag, image);
      const mirror = await mirrorCommand(stage);
      const { stderr } = await mirror.run([`${qci.host}/${flat}:lvms_op_*`, `${to.host}/lvms-op:*`]);
      assert.match(stderr, /left out 2 staging and backup tags/);
      const list = await (await fetch(`${to.url}/v2/lvms-op/tags/list`)).json();
      assert.deepEqual(list, { name: 'lvms-op', tags: ['v4.20'] });
    },
  );
}

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
