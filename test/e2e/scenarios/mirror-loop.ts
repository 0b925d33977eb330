import assert from 'node:assert/strict';
import { pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { assertRegistryHolds } from '../fixtures/compare.ts';
import { onePlatform } from '../fixtures/images.ts';
import { type MirrorStand, mirrorLines, mirrorStand, names } from '../fixtures/mirror-stand.ts';
import { assertFlatHolds, flat, type Placed, placed, pushAll, smallImages } from '../fixtures/mirrored.ts';
import { pushed, repeated, uploaded } from '../fixtures/uploads.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** A change of a file is seen within seconds, on a busy machine a little later. */
const soonMs = 60_000;

/** Quayside as the image mirroring of a CI, after its own configuration file. */
export const mirrorLoop: Scenario = {
  name: 'mirror-loop',
  needs: ['docker-registry'],
  limitMs: 400_000,
  async play(scene) {
    const all = await smallImages(70);
    const [first, later, many] = [all.slice(0, 4), all.slice(4, 6), all.slice(10)];
    const back = placed(await onePlatform('back', 'docker', 1), 'ci/back', 'latest');
    const stand = await mirrorStand(scene, {
      yaml: configOf(first, [back]),
      before: async ({ elsewhere, qci }) => {
        await pushAll(elsewhere.url, all);
        await pushImage(qci.url, flat, back.flatTag, back.image);
      },
    });
    await copied(scene, stand, first, back);
    await watched(scene, stand);
    await changed(scene, stand, { first, later, back });
    await killed(scene, stand, { known: [...first, ...later], many, back });
  },
};

async function copied({ fact }: Scene, stand: MirrorStand, images: readonly Placed[], back: Placed) {
  await fact('what the file lists arrives in QCI, byte for byte', async () => {
    await arrived(stand, images);
    await assertFlatHolds(stand.qci.url, images);
  });
  await fact('what it lists the other way arrives at app.ci', async () => {
    const { repository, tag, image } = back;
    const isThere = async () => pushed(await stand.appCi.asked()).includes(`${repository}:${tag}`);
    await until('the image is at app.ci', isThere, soonMs);
    await assertRegistryHolds(stand.appCi.url, repository, tag, image);
  });
  await fact('what it says to ignore is not copied, and the log says why', async () => {
    const ignored = (await mirrorLines(stand)).find(({ msg }) => msg === 'Ignored source');
    assert.equal(ignored?.['reason'], 'broken');
    assert.deepEqual(
      (await stand.qci.asked()).filter(({ path }) => path.includes('ci_broken')),
      [],
    );
  });
}

async function watched({ fact }: Scene, stand: MirrorStand) {
  await fact('the log says what was mirrored, in the words that queries look for', async () => {
    const lines = await mirrorLines(stand);
    for (const words of ['Mirroring ...', 'Mirrored successfully', 'Image needs sync'])
      assert.ok(
        lines.some(({ msg, component }) => msg === words && component === 'ci-images-mirror'),
        words,
      );
  });
  await fact('the API says that all is well, and how much is left', async () => {
    assert.deepEqual(await (await fetch(`${stand.api}/health`)).json(), { ok: true });
    const left = async () => JSON.stringify(await (await fetch(`${stand.api}/v1/mirrors`)).json());
    await until('the last copy is over', async () => (await left()) === '{"total":0}');
    const shown = await (await fetch(`${stand.api}/v1/mirrors?action=show&limit=5`)).json();
    assert.deepEqual(shown, { mirrors: null, total: 0 });
  });
  await fact('the metrics count each copy', async () => {
    const text = await stand.proxy.metrics();
    const count = /image_mirroring_duration_seconds_count\{state="success"\} (\d+)/.exec(text)?.[1];
    assert.ok(Number(count) >= 5, `it counts ${count}`);
    assert.match(text, /quay_io_ci_images_distributor_mirror_queue_depth 0/);
  });
  await fact('only an operator may order a copy', async () => {
    const order = { source: `${names.elsewhere}/ci/tool-0:v20`, destination: `${names.qci}/${flat}:ordered` };
    const options = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
    };
    assert.equal((await fetch(`${stand.api}/v1/mirrors`, options)).status, 404);
    assert.equal((await fetch(`${stand.proxy.url}/api/v1/mirrors`, options)).status, 404);
    assert.equal((await fetch(`${stand.proxy.admin}/api/v1/mirrors`, options)).status, 202);
    await until(
      'it is there',
      async () => pushed(await stand.qci.asked()).includes(`${flat}:ordered`),
      soonMs,
    );
  });
}

interface Change {
  readonly first: readonly Placed[];
  readonly later: readonly Placed[];
  readonly back: Placed;
}

async function changed({ fact }: Scene, stand: MirrorStand, { first, later, back }: Change) {
  await fact('after a restart with nothing new, nothing is copied', async () => {
    await stand.proxy.stop();
    await stand.qci.forget();
    await stand.proxy.start();
    const inSync = async () => {
      const lines = await mirrorLines(stand);
      return lines.filter(({ msg }) => msg === 'Mirroring supplemental CI images ...').length > 1;
    };
    await until('it has looked', inSync, soonMs);
    assert.deepEqual(pushed(await stand.qci.asked()), []);
  });
  await fact(
    'an image that changed is copied again, and what was there is kept under one tag for the pruner',
    async () => {
      const [image] = first;
      assert.ok(image);
      const newer = await onePlatform('newer', 'oci', 1);
      await stand.proxy.stop();
      await pushImage(stand.elsewhere.url, image.repository, image.tag, newer);
      await stand.qci.forget();
      await stand.proxy.start();
      await arrived(stand, [{ ...image, image: newer }]);
      const tags = pushed(await stand.qci.asked()).filter((each) => !each.includes('@'));
      const [kept = '', ...others] = tags.filter((each) => each.includes('_prune_'));
      assert.deepEqual(others, []);
      assert.match(kept, new RegExp(`^${flat}:\\d{14}_prune___ci_images_mirror__${image.flatTag}$`));
      await assertRegistryHolds(stand.qci.url, flat, kept.slice(flat.length + 1), image.image);
      await assertRegistryHolds(stand.qci.url, flat, image.flatTag, newer);
    },
  );
  await fact('an image that is added to the file is copied at the next look', async () => {
    await stand.configure(configOf([...first, ...later], [back]));
    await stand.proxy.stop();
    await stand.proxy.start();
    await arrived(stand, later);
    await assertFlatHolds(stand.qci.url, later);
  });
}

interface Many {
  readonly known: readonly Placed[];
  readonly many: readonly Placed[];
  readonly back: Placed;
}

async function killed({ fact }: Scene, stand: MirrorStand, { known, many, back }: Many) {
  await fact(
    `killed in the middle of ${many.length} images and started again, it brings all of them`,
    async () => {
      await stand.proxy.stop();
      await stand.configure(configOf([...known, ...many], [back]));
      await stand.qci.forget();
      await stand.proxy.start();
      const some = async () => pushed(await stand.qci.asked()).length > many.length / 4;
      await until('some are there', some, soonMs);
      await stand.proxy.stop('SIGKILL');
      assert.ok(pushed(await stand.qci.asked()).length < many.length, 'it was killed too late');
      await stand.proxy.start();
      await arrived(stand, many, 2 * soonMs);
      await assertFlatHolds(stand.qci.url, many);
    },
  );
  await fact('by the log of QCI nothing was uploaded twice that was confirmed', async () => {
    const asked = await stand.qci.asked();
    assert.deepEqual(repeated(uploaded(asked)), []);
    assert.deepEqual(repeated(pushed(asked)), []);
  });
}

async function arrived({ qci }: MirrorStand, images: readonly Placed[], limitMs = soonMs): Promise<void> {
  const missing = new Set(images);
  const isThere = async () => {
    for (const each of missing) {
      const url = `${qci.url}/v2/${flat}/manifests/${each.flatTag}`;
      const headers = { accept: each.image.root.descriptor.mediaType };
      const answer = await fetch(url, { method: 'HEAD', headers });
      const digest = answer.headers.get('docker-content-digest');
      if (digest === each.image.root.descriptor.digest) missing.delete(each);
    }
    return missing.size === 0;
  };
  await until('the images are in QCI', isThere, limitMs);
}

/** In the words of the original's file. */
function configOf(images: readonly Placed[], backwards: readonly Placed[]): string {
  return [
    'supplementalCIImages:',
    ...images.map(
      ({ repository, tag }) => `  ${repository}:${tag}:\n    image: ${names.elsewhere}/${repository}:${tag}`,
    ),
    `  ci/broken:v1:\n    image: ${names.elsewhere}/ci/broken:v1`,
    'qciToAppCIImages:',
    ...backwards.map(({ repository, tag }) => `  ${repository}:${tag}: {}`),
    'ignoredSources:',
    `- image: ${names.elsewhere}/ci/broken:v1\n  reason: broken`,
    'artImages: []',
    '',
  ].join('\n');
}
