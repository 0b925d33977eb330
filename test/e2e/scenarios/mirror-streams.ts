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
/** A lease whose holder is gone is waited for; what changed meanwhile is copied after that. */
const takeoverMs = 10_000;
const copiedMs = 120_000;
const turnMs = 1_000;
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
  /** Both processes, as they know each other. */
  readonly members: Readonly<Record<ServeName, string>>;
}

type ServeName = 'first' | 'second';

/** A process, and where its queue is shown. */
interface Serve {
  readonly program: Program;
  readonly api: string;
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
  const members = { first: `127.0.0.1:${await freePort()}`, second: `127.0.0.1:${await freePort()}` };
  return { cluster, appCi, qci, images, private: other, members };
}

function digestsOf(images: readonly Placed[]): Readonly<Record<string, string>> {
  return Object.fromEntries(images.map(({ tag, image }) => [tag, image.root.descriptor.digest]));
}

/**
 * The command line of the original's Deployment, and the places of this machine by `--settings`.
 */
async function mirrorServe(
  scene: Scene,
  stand: Stand,
  name: ServeName,
  label: string = name,
): Promise<Serve> {
  const { cluster, appCi, qci, members } = stand;
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
    fleet: { listen: members[name], keyFile: file('fleet.key'), addresses: Object.values(members) },
    shutdownDelayMs: '5s',
  };
  await writeFile(file('fleet.key'), 'the key that both processes share, of more than 32');
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
  const program = await stage.start(process.execPath, [command, ...args], { name: `mirror-${label}` });
  await program.listens(api);
  return { program, api: `http://127.0.0.1:${api}/api/v1/mirrors` };
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

async function takenOver(scene: Scene, stand: Stand, first: Serve) {
  const { cluster, appCi, qci, images } = stand;
  const { fact } = scene;
  const holder = async () => {
    const words = ['get', 'lease', 'ci-image-mirror', '-n', 'ci', '-o', 'jsonpath={.spec.holderIdentity}'];
    return (await cluster.kubectl(words)).stdout;
  };
  const before = await holder();
  const second = await mirrorServe(scene, stand, 'second');
  await fact('who works holds the Lease that the original had; a second one waits', async () => {
    assert.notEqual(before, '');
    assert.equal(await holder(), before);
  });
  await fact('who waits passes what it is asked on to the one that works', async () => {
    const answered = async () => (await fetch(second.api)).status === 200;
    await until('the second one knows who works', answered);
    const query = '?action=show&state=all&limit=100';
    const [here, there] = await Promise.all([first, second].map(async ({ api }) => fetch(api + query)));
    assert.deepEqual(await there?.json(), await here?.json());
  });
  await fact('when the first one is killed the second one takes over within 10 s', async () => {
    const killedAt = Date.now();
    await first.program.stop('SIGKILL');
    assert.ok((await acquiredAt(second.program, killedAt)) - killedAt <= takeoverMs);
    assert.notEqual(await holder(), before);
  });
  await fact('and copies what changed meanwhile, once', async () => {
    const [, , tests] = images;
    assert.ok(tests);
    const newer = await pushedNewer(appCi, tests, 'between two');
    await qci.forget();
    await cluster.put(`${namespace}/4.20`, digestsOf([newer]));
    await inQci(qci, [newer], copiedMs);
    assert.deepEqual(repeated(pushed(await qci.asked())), []);
  });
  await fact('one that gets SIGTERM is followed within a second, while it still serves', async () => {
    const third = await mirrorServe(scene, stand, 'first', 'third');
    const knows = async () => (await fetch(third.api)).status === 200;
    await until('both know each other', knows);
    const stoppedAt = Date.now();
    const ended = second.program.stop('SIGTERM');
    assert.ok((await acquiredAt(third.program, stoppedAt)) - stoppedAt <= turnMs);
    await ended;
  });
}

/** When the process said that it copies, after that time; milliseconds since the epoch. */
async function acquiredAt(program: Program, after: number): Promise<number> {
  let found: number | undefined;
  await until(
    'the lease has another holder',
    async () => {
      const lines = (await program.output())
        .split('\n')
        .filter((line) => line.includes('acquired the mirror'));
      found = lines.map((line) => Date.parse(JSON.parse(line).time)).find((at) => at >= after);
      return found !== undefined;
    },
    3 * takeoverMs,
  );
  return found ?? Number.POSITIVE_INFINITY;
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
