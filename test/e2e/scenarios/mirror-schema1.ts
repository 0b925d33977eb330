import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { namedBytes } from '../../../src/oci/schema1.ts';
import { pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { assertRegistryHolds } from '../fixtures/compare.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { onePlatform } from '../fixtures/images.ts';
import { type MirrorStand, mirrorLines, mirrorStand, names } from '../fixtures/mirror-stand.ts';
import { flat, type Placed, placed } from '../fixtures/mirrored.ts';
import { pushed } from '../fixtures/uploads.ts';
import type { Scenario, Scene } from '../scenario.ts';

const soonMs = 60_000;

/**
 * An image of the days before schema 2, between a registry that takes such and one that does not.
 */
export const mirrorSchema1: Scenario = {
  name: 'mirror-schema1',
  needs: ['docker-registry', 'skopeo'],
  async play(scene) {
    const image = placed(await onePlatform('old', 'docker', 1), 'ci/old', 'latest');
    const { repository, tag } = image;
    const stand = await mirrorStand(scene, {
      takingSchema1: ['elsewhere', 'appCi'],
      yaml: `supplementalCIImages:\n  ${repository}:${tag}:\n    image: ${names.elsewhere}/${repository}:${tag}\n`,
      before: async ({ elsewhere }) => {
        await pushImage(elsewhere.url, repository, 'schema2', image.image);
        await converted(scene, elsewhere.host, image);
      },
    });
    await taken(scene, stand, image);
    await refused(scene, stand, image);
    await replaced(scene, stand, image);
  },
};

/** Skopeo signs it, as docker once did. */
async function converted({ stage, path }: Scene, host: string, { repository, tag }: Placed): Promise<void> {
  const { env } = await containersConfig(stage);
  const insecure = ['--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false'];
  const [from, to] = [`docker://${host}/${repository}:schema2`, `docker://${host}/${repository}:${tag}`];
  await stage.run(path('skopeo'), ['copy', ...insecure, '--format', 'v2s1', from, to], { env });
}

async function taken({ fact }: Scene, stand: MirrorStand, { repository, tag }: Placed) {
  const { elsewhere, appCi } = stand;
  await fact(
    'a registry that takes schema 1 gets what its digest names, and each layer, byte for byte',
    async () => {
      const there = `${repository}:${tag}`;
      await ordered(stand, `${names.elsewhere}/${there}`, `${names.appCi}/${there}`);
      await until('it is there', async () => pushed(await appCi.asked()).includes(there), soonMs);
      const [was, is] = [
        await schema1(elsewhere.url, repository, tag),
        await schema1(appCi.url, repository, tag),
      ];
      assert.deepEqual(is, was);
      for (const digest of layersOf(is)) {
        const answer = await fetch(`${appCi.url}/v2/${repository}/blobs/${digest}`);
        const hex = createHash('sha256')
          .update(Buffer.from(await answer.arrayBuffer()))
          .digest('hex');
        assert.equal(`sha256:${hex}`, digest);
      }
    },
  );
}

async function refused({ fact }: Scene, stand: MirrorStand, { flatTag, repository, tag }: Placed) {
  const { proxy, qci } = stand;
  const tries = async () =>
    (await qci.asked()).filter(
      ({ method, path }) => method === 'PUT' && path.endsWith(`/manifests/${flatTag}`),
    ).length;
  await fact('one that does not take it leaves it parked, and the queue says why', async () => {
    await until('it is parked', async () => (await parked(stand)).length > 0, soonMs);
    const [task] = await parked(stand);
    assert.equal(task?.destination, `${names.qci}/${flat}:${flatTag}`);
    assert.equal(task?.failure.kind, 'schema-1');
    assert.match(
      task?.failure.reason ?? '',
      /does not accept Docker schema 1: push the image to the source as schema 2/,
    );
    assert.equal(task?.not_before, undefined);
    const isTold = async () => (await mirrorLines(stand)).some(({ msg, reason }) => isGivenUp(msg, reason));
    await until('the log says so', isTold, soonMs);
  });
  await fact('the next look, after a restart too, does not try it again', async () => {
    const before = await tries();
    const looks = async () =>
      (await mirrorLines(stand)).filter(({ msg }) => msg === 'Image needs sync').length;
    await proxy.stop();
    // What the last process said is no look of the next one.
    const looked = await looks();
    await proxy.start();
    await until('it has looked', async () => (await looks()) > looked, soonMs);
    await until('it is parked again', async () => (await parked(stand)).length === 1, soonMs);
    assert.equal(await tries(), before);
  });
  await fact('an operator who says retry is obeyed', async () => {
    const before = await tries();
    const answer = await fetch(`${proxy.admin}/api/v1/mirrors/retry`, { method: 'POST' });
    assert.ok(answer.ok);
    await until('it is tried', async () => (await tries()) > before, soonMs);
    await until('it is parked', async () => (await parked(stand)).length > 0, soonMs);
    assert.deepEqual(pushed(await qci.asked()), [], `${repository}:${tag} came in`);
  });
}

async function replaced({ fact }: Scene, stand: MirrorStand, { flatTag, repository, tag }: Placed) {
  const { elsewhere, proxy, qci } = stand;
  await fact('pushed to the source as schema 2 it is copied at the next look', async () => {
    const newer = await onePlatform('new', 'docker', 1);
    await pushImage(elsewhere.url, repository, tag, newer);
    await proxy.stop();
    await proxy.start();
    await until('it is there', async () => pushed(await qci.asked()).includes(`${flat}:${flatTag}`), soonMs);
    await assertRegistryHolds(qci.url, flat, flatTag, newer);
    assert.deepEqual(await parked(stand), []);
  });
}

async function ordered({ proxy }: MirrorStand, source: string, destination: string): Promise<void> {
  const answer = await fetch(`${proxy.admin}/api/v1/mirrors`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ source, destination }),
  });
  assert.equal(answer.status, 202);
}

interface Parked {
  readonly destination: string;
  readonly failure: { readonly kind: string; readonly reason: string };
  readonly not_before?: string;
}

async function parked({ api }: MirrorStand): Promise<readonly Parked[]> {
  const answer = await fetch(`${api}/v1/mirrors?action=show&limit=10&state=parked`);
  const { mirrors } = (await answer.json()) as { readonly mirrors: readonly Parked[] | null };
  return mirrors ?? [];
}

function isGivenUp(msg: string, reason: unknown): boolean {
  return msg === 'Failed to mirror even with retries' && reason === 'schema-1';
}

/** What the digest names: docker-registry signs each answer anew. */
async function schema1(url: string, repository: string, tag: string): Promise<Uint8Array> {
  const headers = { accept: mediaTypes.dockerSchema1Signed };
  const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`, { headers });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), mediaTypes.dockerSchema1Signed);
  return namedBytes(Buffer.from(await answer.arrayBuffer()), mediaTypes.dockerSchema1Signed);
}

function layersOf(manifest: Uint8Array): readonly string[] {
  const { fsLayers } = JSON.parse(Buffer.from(manifest).toString()) as {
    readonly fsLayers: readonly { blobSum: string }[];
  };
  return [...new Set(fsLayers.map(({ blobSum }) => blobSum))];
}
