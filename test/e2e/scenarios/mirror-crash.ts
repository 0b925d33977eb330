import assert from 'node:assert/strict';
import { until } from '../../support/program.ts';
import { type Front, front } from '../fixtures/front.ts';
import { mirrorCommand } from '../fixtures/mirror.ts';
import { assertFlatHolds, flat, intoFlat, type Placed, pushAll, smallImages } from '../fixtures/mirrored.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import { pushed, repeated, uploaded } from '../fixtures/uploads.ts';
import type { Scenario } from '../scenario.ts';

const count = 200;
const someMs = 120_000;

/** kill -9 in the middle of 200 images. */
export const mirrorCrash: Scenario = {
  name: 'mirror-crash',
  needs: ['docker-registry'],
  limitMs: 400_000,
  async play(scene) {
    const { stage, fact } = scene;
    const source = await registry(scene, { name: 'source' });
    const qci = await registry(scene, { name: 'qci' });
    const images = await smallImages(count);
    await pushAll(source.url, images);
    const way = await front(stage, qci.url);
    const mirror = await mirrorCommand(stage);
    const pairs = intoFlat(source.host, new URL(way.url).host, images);
    const file = await mirror.mapping('all.txt', pairs);
    let arrived: readonly Placed[] = [];

    await fact('some of the images are there when it is killed, and each of them is whole', async () => {
      const running = await mirror.start('killed', ['-f', file]);
      await until('a third has arrived', () => tagsPushed(way) > count / 3, someMs);
      await running.stop('SIGKILL');
      arrived = await thereOf(qci, images);
      assert.ok(arrived.length < count, 'it was killed too late');
      await assertFlatHolds(qci.url, arrived);
    });
    await fact('started again it brings all the others', async () => {
      await mirror.run(['-f', file], { timeoutMs: someMs });
      await assertFlatHolds(qci.url, images);
    });
    await fact('by the log of the registry nothing was uploaded twice, and no tag pushed twice', async () => {
      const asked = await qci.asked();
      assert.deepEqual(repeated(uploaded(asked)), []);
      assert.deepEqual(repeated(pushed(asked)), []);
    });
    await qci.forget();
    await fact('a third run finds nothing to do', async () => {
      await mirror.run(['-f', file]);
      const asked = await qci.asked();
      assert.deepEqual([...uploaded(asked), ...pushed(asked)], []);
    });
  },
};

function tagsPushed({ passed }: Front): number {
  return passed.filter(({ method, path, status }) => {
    return method === 'PUT' && status === 201 && /\/manifests\/(?!sha256:)/.test(path);
  }).length;
}

async function thereOf({ url }: Registry, images: readonly Placed[]): Promise<readonly Placed[]> {
  const answer = await fetch(`${url}/v2/${flat}/tags/list`);
  const { tags } = (await answer.json()) as { readonly tags: readonly string[] };
  return images.filter(({ flatTag }) => tags.includes(flatTag));
}
