import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pushImage } from '../../support/images.ts';
import { freePort, type Program, until } from '../../support/program.ts';
import { renderedCase } from '../fixtures/chart.ts';
import { type StreamCluster, streamCluster } from '../fixtures/image-streams.ts';
import { onePlatform } from '../fixtures/images.ts';
import { names } from '../fixtures/mirror-stand.ts';
import { assertFlatHolds, flat, type Placed, placed, pushAll } from '../fixtures/mirrored.ts';
import { command } from '../fixtures/quayside.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import { pushed, repeated } from '../fixtures/uploads.ts';
import type { Scenario, Scene } from '../scenario.ts';

const soonMs = 60_000;
/** A lease whose holder is gone is waited for. */
const takeoverMs = 120_000;
const namespace = 'ocp';

/**
 * `quayside mirror serve` in the place of ci-images-mirror: a cluster's image streams on one side,
 * QCI on the other.
 */
export const mirrorStreams: Scenario = {
  name: 'mirror-streams',
  needs: ['docker-registry', 'helm', 'kubernetes'],
  limitMs: 500_000,
  async play(scene) {
    const stand = await streamStand(scene);
    const first = await mirrorServe(scene, stand, 'first');
    await atTheStart(scene, stand);
    await changes(scene, stand);
    await withoutTheServer(scene, stand);
    await takenOver(scene, stand, first);
  },
};

interface Stand {
  readonly cluster: StreamCluster;
  readonly appCi: Registry;
  readonly qci: Registry;
  readonly images: readonly Placed[];
  readonly private: Placed;
}

async function streamStand(scene: Scene): Promise<Stand> {
  const cluster = await streamCluster(scene, ['ci', namespace, 'ocp-priv']);
  const objects = await renderedCase(scene, 'ci-images-mirror', ['settings.mirror.imageStreams.watch=true']);
  for (const file of ['account.yaml', 'rights.yaml'])
    await cluster.kubectl(['apply', '--filename', join(objects, file)]);
  const [appCi, qci] = [await registry(scene, { name: 'app-ci' }), await registry(scene, { name: 'qci' })];
  const images = await Promise.all(
    ['cli', 'installer', 'tests'].map(async (tag) =>
      placed(await onePlatform(`stream ${tag}`, 'docker', 1), `${namespace}/4.20`, tag),
    ),
  );
  const other = placed(await onePlatform('private', 'docker', 1), 'ocp-priv/4.20', 'cli');
  await pushAll(appCi.url, [...images, other]);
  await cluster.put(`${namespace}/4.20`, digestsOf(images));
  await cluster.put('ocp-priv/4.20', digestsOf([other]));
  return { cluster, appCi, qci, images, private: other };
}

function digestsOf(images: readonly Placed[]): Readonly<Record<string, string>> {
  return Object.fromEntries(images.map(({ tag, image }) => [tag, image.root.descriptor.digest]));
}

/**
 * The command line of the original's Deployment, and the places of this machine by `--settings`.
 */
async function mirrorServe(scene: Scene, { cluster, appCi, qci }: Stand, name: string): Promise<Program> {
  const { stage } = scene;
  const file = (ending: string) => join(stage.directory, `${name}-${ending}`);
  const [port, adminPort, api] = [await freePort(), await freePort(), await freePort()];
  const upstream = ({ url }: Registry) => ({ url, allowPrivateAddresses: true });
  const settings = {
    listen: `127.0.0.1:${port}`,
    admin: { listen: `127.0.0.1:${adminPort}` },
    store: { filesystem: { path: join(stage.directory, 'store') } },
    spool: { path: file('spool') },
    defaultUpstream: names.qci,
    upstreams: { [names.qci]: upstream(qci), [names.appCi]: upstream(appCi) },
    mirror: { listen: `127.0.0.1:${api}` },
  };
  await writeFile(file('settings.yaml'), JSON.stringify(settings));
  await writeFile(file('auth.json'), '{}');
  await writeFile(file('config.yaml'), 'supplementalCIImages: {}\n');
  const token = await cluster.boundToken('ci:ci-images-mirror');
  const args = [
    ...[
      'mirror',
      'serve',
      '--leader-election-namespace=ci',
      `--release-repo-git-sync-path=${stage.directory}`,
    ],
    `--registry-config=${file('auth.json')}`,
    `--config=${file('config.yaml')}`,
    '--enable-controller=quay_io_ci_images_distributor',
    `--quayIOCIImagesDistributorOptions.additional-image-stream-namespace=${namespace}`,
    `--kubeconfig=${await cluster.kubeconfig(name, token, cluster.way)}`,
    `--settings=${file('settings.yaml')}`,
  ];
  const program = await stage.start(process.execPath, [command, ...args], { name: `mirror-${name}` });
  await program.listens(api);
  return program;
}

async function atTheStart({ fact }: Scene, { qci, images, private: other }: Stand) {
  await fact('what the image streams hold at the start arrives in QCI under their names', async () => {
    await inQci(qci, images);
    await assertFlatHolds(qci.url, images);
  });
  await fact('an unrequested namespace stays where it is', async () => {
    const tags = pushed(await qci.asked());
    assert.deepEqual(
      tags.filter((tag) => tag.endsWith(other.flatTag)),
      [],
    );
  });
}

async function changes({ fact }: Scene, { cluster, appCi, qci, images }: Stand) {
  await fact(
    'a tag that stands for another image is kept under another name and copied, and no other one',
    async () => {
      const [cli, ...others] = images;
      assert.ok(cli);
      const newer = await pushedNewer(appCi, cli, 'newer');
      await qci.forget();
      await cluster.put(`${namespace}/4.20`, digestsOf([newer, ...others]));
      await inQci(qci, [newer]);
      const tags = pushed(await qci.asked()).filter((tag) => !tag.includes('@'));
      const names = tags.map((tag) => tag.replace(/:\d{14}_/, ':<time>_'));
      assert.deepEqual(names, [
        `${flat}:<time>_prune___ci_images_mirror__${cli.flatTag}`,
        `${flat}:${cli.flatTag}`,
      ]);
    },
  );
}

async function withoutTheServer({ fact }: Scene, { cluster, appCi, qci, images }: Stand) {
  await fact('after the API server was gone, what changes is seen again', async () => {
    await cluster.kill();
    await cluster.start();
    const [, installer, ...others] = images;
    assert.ok(installer);
    const newer = await pushedNewer(appCi, installer, 'after the crash');
    await cluster.put(`${namespace}/4.20`, digestsOf([newer, ...others]));
    await inQci(qci, [newer]);
  });
}

async function takenOver(scene: Scene, stand: Stand, first: Program) {
  const { cluster, appCi, qci, images } = stand;
  const { fact } = scene;
  const holder = async () => {
    const words = ['get', 'lease', 'ci-image-mirror', '-n', 'ci', '-o', 'jsonpath={.spec.holderIdentity}'];
    return (await cluster.kubectl(words)).stdout;
  };
  await fact('who works holds the Lease that the original had; a second one waits', async () => {
    const before = await holder();
    assert.notEqual(before, '');
    await mirrorServe(scene, stand, 'second');
    assert.equal(await holder(), before);
  });
  await fact(
    'when the first one is killed the second one takes over, and copies what changed meanwhile',
    async () => {
      const before = await holder();
      await first.stop('SIGKILL');
      const [cli, installer, tests] = images;
      assert.ok(cli && installer && tests);
      const newer = await pushedNewer(appCi, tests, 'between two');
      await qci.forget();
      await cluster.put(`${namespace}/4.20`, digestsOf([newer]));
      await inQci(qci, [newer], takeoverMs);
      assert.notEqual(await holder(), before);
      assert.deepEqual(repeated(pushed(await qci.asked())), []);
    },
  );
}

async function pushedNewer(appCi: Registry, { repository, tag }: Placed, seed: string): Promise<Placed> {
  const image = await onePlatform(seed, 'docker', 1);
  await pushImage(appCi.url, repository, tag, image);
  return placed(image, repository, tag);
}

/** Resolves once QCI has them under their tags. */
async function inQci({ url }: Registry, images: readonly Placed[], limitMs = soonMs): Promise<void> {
  const isThere = async ({ flatTag, image }: Placed) => {
    const { mediaType, digest } = image.root.descriptor;
    const where = `${url}/v2/${flat}/manifests/${flatTag}`;
    const answer = await fetch(where, { method: 'HEAD', headers: { accept: mediaType } });
    return answer.headers.get('docker-content-digest') === digest;
  };
  const areThere = async () => (await Promise.all(images.map(isThere))).every(Boolean);
  await until('the images are in QCI', areThere, limitMs);
}
