import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type GeneratedImage, pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { assertDirectoryHolds, assertRegistryHolds } from '../fixtures/compare.ts';
import { containersConfig, podmanStorage } from '../fixtures/containers.ts';
import { multiArch, onePlatform } from '../fixtures/images.ts';
import { type MirrorStand, mirrorStand, names } from '../fixtures/mirror-stand.ts';
import { flat, type Placed, placed, pushAll } from '../fixtures/mirrored.ts';
import { contentRequests, type Registry } from '../fixtures/registry.ts';
import { pushed, repeated, uploaded } from '../fixtures/uploads.ts';
import type { Scenario, Scene } from '../scenario.ts';

const arrivesMs = 60_000;
const absentMs = 60_000;

const group = (name: string) => `\${${name}}`;
const own = `${names.qci}/${flat}`;
/** After app.ci: the tag that stages an image, another registry by digest, and what we know. */
const sources = [
  { preset: 'openshift-ci' },
  { match: String.raw`quay\.io/openshift/ci:(?<tag>.+)`, from: `${own}:${group('tag')}__pre` },
  {
    match: String.raw`quay\.io/openshift/ci@(?<digest>.+)`,
    from: `${names.elsewhere}/kept/ci@${group('digest')}`,
  },
  { match: String.raw`quay\.io/openshift/ci:.+`, preset: 'history' },
];

/** Pulls of images that QCI lacks, and app.ci or another source has. */
export const misses: Scenario = {
  name: 'misses',
  needs: ['docker-registry', 'podman', 'skopeo'],
  async play(scene) {
    const images = [
      placed(await multiArch('missed', 'oci'), 'ocp/4.20', 'cli'),
      placed(await onePlatform('missed too', 'docker'), 'ci/tool', 'latest'),
    ] as const;
    const ignored = placed(await onePlatform('ignored', 'oci', 1), 'ci/broken', 'v1');
    const stand = await mirrorStand(scene, {
      yaml: `ignoredSources:\n- image: ${names.appCi}/ci/broken:v1\n  reason: broken\n`,
      mirror: { misses: { onMiss: 'serve', absentMs, sources } },
      config: { tags: { freshMs: 0, refreshBehindMs: 0 } },
      before: ({ appCi }) => pushAll(appCi.url, [...images, ignored]),
    });
    const [cli, tool] = images;
    await bySkopeo(scene, stand, cli);
    await byPodman(scene, stand, tool);
    await nowhere(scene, stand, ignored);
    await fromOtherSources(scene, stand);
    await outage(scene, stand, tool);
  },
};

async function bySkopeo(scene: Scene, stand: MirrorStand, missed: Placed) {
  const { stage, fact } = scene;
  const { env } = await containersConfig(stage);
  const copied = async (folder: string) => {
    const directory = join(stage.directory, folder);
    const source = `docker://${stand.proxy.prefix}/${flat}:${missed.flatTag}`;
    const args = ['copy', '--insecure-policy', '--src-tls-verify=false', '--all', source, `dir:${directory}`];
    await stage.run(scene.path('skopeo'), args, { env });
    return directory;
  };
  await fact('skopeo copies an image that QCI lacks, byte for byte', async () =>
    assertDirectoryHolds(await copied('missed'), missed.image),
  );
  await filled(scene, stand, missed);
  await fact('from then on it is pulled without app.ci', async () => {
    await stand.appCi.forget();
    await assertDirectoryHolds(await copied('filled'), missed.image);
    assert.deepEqual(contentRequests(await stand.appCi.asked()), []);
  });
}

async function byPodman(scene: Scene, stand: MirrorStand, missed: Placed) {
  const { stage, fact } = scene;
  const { env, policy } = await containersConfig(stage);
  const image = `${stand.proxy.prefix}/${flat}:${missed.flatTag}`;
  await fact('podman pulls an image that QCI lacks', async () => {
    const args = [
      ...podmanStorage(stage),
      ...['pull', '--quiet', '--tls-verify=false', '--signature-policy', policy, image],
    ];
    const { stdout } = await stage.run(scene.path('podman'), args, { env, timeoutMs: 120_000 });
    assert.match(stdout, /^[0-9a-f]{64}$/m);
  });
  await filled(scene, stand, missed);
}

async function filled({ fact }: Scene, { qci, appCi }: MirrorStand, { image, flatTag, repository }: Placed) {
  await fact('the image arrives in QCI under the tag that was asked for, byte for byte', async () => {
    await until(
      'the tag is pushed',
      async () => pushed(await qci.asked()).includes(`${flat}:${flatTag}`),
      arrivesMs,
    );
    await assertRegistryHolds(qci.url, flat, flatTag, image);
  });
  await fact('app.ci sent each blob once, for the client, the store and QCI together', async () => {
    const gets = await blobsSent(appCi, repository);
    assert.deepEqual(repeated(gets), []);
    assert.equal(gets.length, image.blobs.length);
  });
  await fact('and QCI took each blob and each tag once', async () => {
    const asked = await qci.asked();
    assert.deepEqual(repeated(uploaded(asked)), []);
    assert.deepEqual(repeated(pushed(asked)), []);
  });
}

async function nowhere({ fact }: Scene, stand: MirrorStand, ignored: Placed) {
  const { appCi, proxy } = stand;
  const pull = (tag: string) => fetch(`${proxy.url}/v2/${names.qci}/${flat}/manifests/${tag}`);
  await appCi.forget();
  await fact('a tag that app.ci lacks too is a 404, and many who ask for it make one question', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => pull('ci_nobody_latest')));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [404]);
    assert.equal((await pull('ci_nobody_latest')).status, 404);
    assert.equal(contentRequests(await appCi.asked()).length, 1);
  });
  await fact('a source that is to be ignored is not asked', async () => {
    assert.equal((await pull(ignored.flatTag)).status, 404);
    assert.equal(contentRequests(await appCi.asked()).length, 1);
  });
}

async function fromOtherSources(scene: Scene, stand: MirrorStand) {
  const { fact, stage } = scene;
  const { qci, elsewhere, proxy } = stand;
  const { env } = await containersConfig(stage);
  const assertCopied = async (reference: string, image: GeneratedImage, folder: string) => {
    const directory = join(stage.directory, folder);
    const source = `docker://${proxy.prefix}/${flat}${reference}`;
    const args = ['copy', '--insecure-policy', '--src-tls-verify=false', '--all', source, `dir:${directory}`];
    await stage.run(scene.path('skopeo'), args, { env });
    await assertDirectoryHolds(directory, image);
  };
  const staged = await onePlatform('staged', 'oci', 1);
  await pushImage(qci.url, flat, 'ci_staged_latest__pre', staged);
  await qci.forget();
  await fact('a tag that is only staged is answered from the stage, and not published', async () => {
    await assertCopied(':ci_staged_latest', staged, 'staged');
    assert.deepEqual(pushed(await qci.asked()), []);
  });
  const kept = await onePlatform('kept elsewhere', 'docker', 1);
  await pushImage(elsewhere.url, 'kept/ci', 'any', kept);
  await elsewhere.forget();
  await fact('a digest that QCI lacks comes from another registry, each blob once', async () => {
    await assertCopied(`@${kept.root.descriptor.digest}`, kept, 'kept');
    const gets = await blobsSent(elsewhere, 'kept/ci');
    assert.deepEqual(repeated(gets), []);
    assert.equal(gets.length, kept.blobs.length);
  });
  const last = await onePlatform('last known', 'oci', 1);
  await pushImage(qci.url, flat, 'ci_last_latest', last);
  await fact('a tag that was removed everywhere keeps its last meaning', async () => {
    await assertCopied(':ci_last_latest', last, 'known');
    await qci.untag(flat, 'ci_last_latest');
    await assertCopied(':ci_last_latest', last, 'last-known');
  });
  await fact('a tag that is nowhere is a 404 that names every place, and no address', async () => {
    const answer = await fetch(`${proxy.url}/v2/${names.qci}/${flat}/manifests/ci_none_latest`);
    assert.equal(answer.status, 404);
    const places = `not in ${own}; not at ${names.appCi}; not at ${own}:ci_none_latest__pre`;
    const text = await answer.text();
    assert.ok(text.includes(`the repository has no such tag: ${places} (request `), text);
  });
}

async function outage({ fact }: Scene, stand: MirrorStand, known: Placed) {
  const { toAppCi, toQci, proxy } = stand;
  const pull = (tag: string) => fetch(`${proxy.url}/v2/${names.qci}/${flat}/manifests/${tag}`);
  await fact('while app.ci is away, a tag that QCI lacks is a 503 and not a 404', async () => {
    toAppCi.down = true;
    const answer = await pull('ci_perhaps_latest');
    assert.equal(answer.status, 503);
    toAppCi.down = false;
  });
  await fact('while QCI is away nothing counts as missing there, and what is kept is served', async () => {
    toQci.down = true;
    await stand.appCi.forget();
    assert.equal((await pull(known.flatTag)).status, 200);
    assert.notEqual((await pull('ci_other_latest')).status, 404);
    assert.deepEqual(contentRequests(await stand.appCi.asked()), []);
    toQci.down = false;
  });
}

/** Paths of the blobs of a repository whose bytes were asked for. */
async function blobsSent(registry: Registry, repository: string): Promise<readonly string[]> {
  const paths = (await registry.asked()).filter(({ method }) => method === 'GET').map(({ path }) => path);
  return paths.filter((path) => path.startsWith(`/v2/${repository}/blobs/`));
}
