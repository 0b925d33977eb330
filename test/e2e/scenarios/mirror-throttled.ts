import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type Front, front, type Passed, type Trouble } from '../fixtures/front.ts';
import { multiArch } from '../fixtures/images.ts';
import { mirrorCommand } from '../fixtures/mirror.ts';
import {
  assertFlatHolds,
  flat,
  intoFlat,
  type Placed,
  placed,
  pushAll,
  smallImages,
} from '../fixtures/mirrored.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import { pushed, repeated, uploaded } from '../fixtures/uploads.ts';
import {
  every,
  first,
  isDownload,
  isLastOfUpload,
  isUpload,
  only,
  refusals,
  unknownBlob,
} from '../fixtures/weather.ts';
import type { Scenario, Scene } from '../scenario.ts';

const limitMs = 150_000;

/** Registries that refuse, break and lie, on a schedule. */
export const mirrorThrottled: Scenario = {
  name: 'mirror-throttled',
  needs: ['docker-registry'],
  limitMs: 400_000,
  async play(scene) {
    const source = await registry(scene, { name: 'source' });
    const images = [
      ...(await smallImages(10)),
      placed(await multiArch('throttled', 'oci'), 'team/app', 'oci'),
      placed(await multiArch('throttled too', 'docker'), 'team/app', 'docker'),
    ];
    await pushAll(source.url, images);
    await refused(scene, source, images);
    await broken(scene, source, images);
    await lied(scene, source, images);
    await paused(scene, source, images.slice(0, 8));
    await gone(scene, source);
  },
};

async function refused(scene: Scene, source: Registry, images: readonly Placed[]) {
  const qci = await registry(scene, { name: 'qci-refusing' });
  const [from, to] = [
    await front(scene.stage, source.url, every(11, refusals)),
    await front(scene.stage, qci.url, every(7, refusals)),
  ];
  await scene.fact(
    'images arrive whole from and to registries that answer 429 and 5xx of all kinds',
    async () => {
      await mirrored(scene, 'refused.txt', from, to, images);
      await assertFlatHolds(qci.url, images);
      for (const way of [from, to]) assert.ok(way.passed.some(({ status }) => status === 429));
    },
  );
  await scene.fact('nothing that was confirmed is uploaded again', async () => {
    assert.deepEqual(repeated(uploaded(await qci.asked())), []);
    assert.deepEqual(repeated(pushed(await qci.asked())), []);
  });
}

/** The requests that carry a blob which is too large for one request. */
function isLarge(request: Passed): boolean {
  return request.method === 'PATCH' && isUpload(request);
}

async function broken(scene: Scene, source: Registry, images: readonly Placed[]) {
  const qci = await registry(scene, { name: 'qci-cutting' });
  const cutUpload: Trouble = { cut: 'request', after: 150_000 };
  const cutDownload: Trouble = { cut: 'answer', after: 3_000_000 };
  const from = await front(scene.stage, source.url, only(isDownload, every(3, [cutDownload])));
  // A blob is sent four times at most: docker-registry keeps nothing of an upload that broke off.
  const to = await front(scene.stage, qci.url, only(isLarge, first(3, cutUpload)));
  await scene.fact('images arrive whole when uploads and downloads break off in the middle', async () => {
    await mirrored(scene, 'broken.txt', from, to, images);
    await assertFlatHolds(qci.url, images);
  });
  await scene.fact('nothing that was confirmed is uploaded again after the cuts', async () =>
    assert.deepEqual(repeated(uploaded(await qci.asked())), []),
  );
}

async function lied(scene: Scene, source: Registry, images: readonly Placed[]) {
  const qci = await registry(scene, { name: 'qci-lying' });
  const lie: Trouble = { status: 201, headers: { location: '/v2/' } };
  const to = await front(scene.stage, qci.url, only(isLastOfUpload, every(5, [lie])));
  await scene.fact(
    'a 201 for a blob that is not there is found out, and the blob uploaded again',
    async () => {
      await mirrored(scene, 'lied.txt', source, to, images);
      await assertFlatHolds(qci.url, images);
    },
  );
}

async function paused(scene: Scene, source: Registry, images: readonly Placed[]) {
  const seconds = 10;
  const [slow, quick] = [
    await registry(scene, { name: 'qci-pausing' }),
    await registry(scene, { name: 'qci-willing' }),
  ];
  const pause: Trouble = { status: 429, headers: { 'retry-after': String(seconds) } };
  let refusedAt: number | undefined;
  const to = await front(scene.stage, slow.url, ({ at }) => {
    if (refusedAt !== undefined) return undefined;
    refusedAt = at;
    return pause;
  });
  const open = await front(scene.stage, quick.url);
  await scene.fact('a registry that asks for a pause gets it, and holds up no other registry', async () => {
    const mirror = await mirrorCommand(scene.stage);
    const pairs = [to, open].flatMap((way) => intoFlat(source.host, hostOf(way), images));
    await mirror.run(['-f', await mirror.mapping('paused.txt', pairs)], { timeoutMs: limitMs });
    assert.ok(refusedAt);
    const [begins, ends] = [refusedAt, refusedAt + seconds * 1000];
    // Those that were on their way when the refusal came are not held against it.
    const early = to.passed.filter(({ at }) => at > begins + 1000 && at < ends - 100);
    assert.deepEqual(
      early.map(({ method, path }) => `${method} ${path}`),
      [],
    );
    const lastElsewhere = Math.max(...open.passed.map(({ at }) => at));
    assert.ok(lastElsewhere < ends, `the other had to wait ${lastElsewhere - begins} ms`);
    for (const { url } of [slow, quick]) await assertFlatHolds(url, images);
  });
}

async function gone(scene: Scene, source: Registry) {
  const { stage, fact } = scene;
  const qci = await registry(scene, { name: 'qci-of-the-gone' });
  const [image, ...others] = (await smallImages(24)).slice(20);
  assert.ok(image);
  await pushAll(source.url, [image, ...others]);
  const lost = image.image.blobs.at(-1)?.descriptor.digest ?? '';
  let isGone = true;
  const from = await front(stage, source.url, ({ path }) =>
    isGone && path.includes(lost) ? unknownBlob : undefined,
  );
  const failed = join(stage.directory, 'failed.txt');
  const mirror = await mirrorCommand(stage);
  const file = await mirror.mapping('gone.txt', intoFlat(hostOf(from), qci.host, [image, ...others]));

  await fact('an image of which a layer is gone is named with its digest; all others arrive', async () => {
    const { code, stdout, stderr } = await mirror.run(
      ['-f', file, '--continue-on-error', '--failed-file', failed],
      { mayFail: true },
    );
    assert.equal(code, 1);
    assert.ok(`${stdout}${stderr}`.includes(lost), stderr);
    assert.match(stderr, /^error: one or more errors occurred/m);
    await assertFlatHolds(qci.url, others);
  });
  await fact('and no manifest of it was pushed', async () => {
    const tags = pushed(await qci.asked());
    assert.deepEqual(
      tags.filter((each) => each.endsWith(image.flatTag)),
      [],
    );
  });
  await fact('what failed is written down as mappings, and comes when it is there again', async () => {
    isGone = false;
    await qci.forget();
    await mirror.run(['-f', failed]);
    assert.deepEqual(pushed(await qci.asked()), [`${flat}:${image.flatTag}`]);
    await assertFlatHolds(qci.url, [image]);
  });
}

async function mirrored(
  { stage }: Scene,
  name: string,
  from: Pick<Front, 'url'>,
  to: Front,
  images: readonly Placed[],
): Promise<void> {
  const mirror = await mirrorCommand(stage);
  const file = await mirror.mapping(name, intoFlat(hostOf(from), hostOf(to), images));
  await mirror.run(['-f', file], { timeoutMs: limitMs });
}

function hostOf({ url }: Pick<Front, 'url'>): string {
  return new URL(url).host;
}
