import assert from 'node:assert/strict';
import { readdir, readFile, readlink, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf } from '../../../src/oci/digest.ts';
import { fileDigest } from '../fixtures/compare.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { front, type Trouble } from '../fixtures/front.ts';
import { largest, multiArch } from '../fixtures/images.ts';
import { mirrorCommand, type Pair } from '../fixtures/mirror.ts';
import { assertFlatHolds, flat, type Placed, placed, pushAll, smallImages } from '../fixtures/mirrored.ts';
import { registry } from '../fixtures/registry.ts';
import { repeated } from '../fixtures/uploads.ts';
import { isDownload, unknownBlob } from '../fixtures/weather.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** A directory that is carried from one network to another, one image per place in it. */
interface Device {
  readonly name: string;
  readonly directory: string;
  /** What the source answers for one of the layers at first. */
  readonly refusal: Trouble;
  /** What the command needs to know besides the pairs. */
  readonly args: readonly string[];
  /** As it is written in a mapping. */
  place(flatTag: string): string;
  /** The file of a blob. */
  blob(digest: Digest): string;
}

/**
 * Images carried on a portable device, in both layouts, from a registry that refuses on the way.
 */
export const mirrorFiles: Scenario = {
  name: 'mirror-files',
  needs: ['docker-registry', 'skopeo'],
  limitMs: 300_000,
  async play(scene) {
    const source = await registry(scene, { name: 'source' });
    const images = [
      ...(await smallImages(8)),
      placed(await multiArch('carried', 'oci'), 'team/app', 'oci'),
      placed(await multiArch('carried too', 'docker'), 'team/app', 'docker'),
    ];
    await pushAll(source.url, images);
    const [likeOc, layout] = [ocDevice(scene), layoutDevice(scene)];
    await carried(scene, source.url, images, likeOc);
    await ocLayoutFacts(scene, images, likeOc);
    await carried(scene, source.url, images, layout);
    await layoutFacts(scene, source.host, images, layout);
  },
};

async function carried(scene: Scene, sourceUrl: string, images: readonly Placed[], device: Device) {
  const { stage, fact } = scene;
  const last = images.at(-1);
  assert.ok(last);
  const { digest } = largest(last.image).descriptor;
  let refuses = true;
  const way = await front(stage, sourceUrl, ({ path }) =>
    refuses && path.includes(digest) ? device.refusal : undefined,
  );
  const mirror = await mirrorCommand(stage);
  const onto = images.map(({ repository, tag, flatTag }) => ({
    source: `${new URL(way.url).host}/${repository}:${tag}`,
    destination: device.place(flatTag),
  }));
  const file = await mirror.mapping(`onto-${device.name}.txt`, onto);
  const run = (more: readonly string[], mayFail = false) =>
    mirror.run(['-f', file, '--continue-on-error', ...device.args, ...more], { mayFail, timeoutMs: 120_000 });

  await fact(
    `${device.name}: a layer that is refused leaves its image undone, and the run says so`,
    async () => {
      const { code, stderr, stdout } = await run([], true);
      assert.equal(code, 1);
      assert.ok(`${stdout}${stderr}`.includes(digest), stderr);
      assert.equal(await isFile(device.blob(digest)), false);
    },
  );
  await fact(`${device.name}: the next run fetches what is missing, and nothing else`, async () => {
    const missing = await missingOn(device, images);
    refuses = false;
    way.passed.length = 0;
    await run([]);
    const fetched = way.passed.filter(isDownload).map(({ path }) => path.slice(path.indexOf('sha256:')));
    assert.deepEqual(new Set(fetched), missing);
    assert.deepEqual(repeated(fetched), []);
  });
  await fact(`${device.name}: every blob is there, and is what its name says`, async () => {
    for (const { image } of images) {
      for (const { descriptor } of [...image.blobs, ...image.manifests, image.root])
        assert.equal(await fileDigest(device.blob(descriptor.digest)), descriptor.digest);
    }
  });
  await delivered(scene, images, device, () => run([]));
}

/** Digests of blobs that have no file. */
async function missingOn(device: Device, images: readonly Placed[]): Promise<ReadonlySet<string>> {
  const digests = images.flatMap(({ image }) => image.blobs.map(({ descriptor }) => descriptor.digest));
  const there = await Promise.all(digests.map((digest) => isFile(device.blob(digest))));
  return new Set(digests.filter((_, index) => there[index] === false));
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** To a registry of another network; and not what was damaged on the way there. */
async function delivered(
  scene: Scene,
  images: readonly Placed[],
  device: Device,
  repair: () => Promise<unknown>,
) {
  const { stage, fact } = scene;
  const mirror = await mirrorCommand(stage);
  const far = await registry(scene, { name: `far-${device.name}` });
  const off: readonly Pair[] = images.map(({ flatTag }) => ({
    source: device.place(flatTag),
    destination: `${far.host}/${flat}:${flatTag}`,
  }));
  const file = await mirror.mapping(`off-${device.name}.txt`, off);
  const [first] = images;
  assert.ok(first);
  const { digest } = largest(first.image).descriptor;
  const run = (mayFail = false) => mirror.run(['-f', file, ...device.args], { mayFail });

  await fact(`${device.name}: a file that was cut short on the way is never pushed`, async () => {
    await truncate(device.blob(digest), 1000);
    const { code, stderr, stdout } = await run(true);
    assert.equal(code, 1);
    assert.ok(`${stdout}${stderr}`.includes(digest), stderr);
    const held = await fetch(`${far.url}/v2/${flat}/blobs/${digest}`, { method: 'HEAD' });
    assert.equal(held.status, 404);
  });
  await fact(`${device.name}: mirrored again from the source the file is whole`, async () => {
    await repair();
    assert.equal(await fileDigest(device.blob(digest)), digest);
  });
  await fact(
    `${device.name}: from the device all images arrive at another registry, byte for byte`,
    async () => {
      await run();
      await assertFlatHolds(far.url, images);
    },
  );
}

async function ocLayoutFacts({ fact }: Scene, images: readonly Placed[], { directory }: Device) {
  const repository = join(directory, 'v2', flat);
  await fact('the directory is as `oc image mirror` leaves it', async () => {
    assert.deepEqual((await readdir(repository)).toSorted(), ['blobs', 'manifests']);
    for (const { image, flatTag } of images) {
      const { digest } = image.root.descriptor;
      assert.equal(await readlink(join(repository, 'manifests', flatTag)), digest);
      const [manifest, blob] = await Promise.all(
        ['manifests', 'blobs'].map((kind) => stat(join(repository, kind, digest))),
      );
      assert.equal(manifest?.ino, blob?.ino);
      assert.equal((blob?.mode ?? 0) & 0o777, 0o600);
    }
    const unfinished = (await readdir(join(repository, 'blobs'))).filter(
      (name) => !name.startsWith('sha256:'),
    );
    assert.deepEqual(
      unfinished.concat((await readdir(repository)).filter((name) => name.includes('.download'))),
      [],
    );
  });
}

async function layoutFacts(scene: Scene, sourceHost: string, images: readonly Placed[], device: Device) {
  const { fact, stage } = scene;
  const { env } = await containersConfig(stage);
  const raw = async (reference: string) =>
    (await stage.run(scene.path('skopeo'), ['inspect', '--raw', '--tls-verify=false', reference], { env }))
      .bytes;
  // skopeo 1.9 finds nothing in a layout that is not of OCI types.
  const known = images.filter(({ image }) => image.root.descriptor.mediaType.includes('.oci.'));
  await fact('skopeo reads the OCI layout, and finds the manifests of the source', async () => {
    assert.ok(known.length > 0);
    for (const { repository, tag, flatTag } of known) {
      const carriedBytes = await raw(`oci:${device.directory}:${flatTag}`);
      assert.deepEqual(carriedBytes, await raw(`docker://${sourceHost}/${repository}:${tag}`));
    }
  });
  await fact('the layout says its version', async () => {
    const version: unknown = JSON.parse(await readFile(join(device.directory, 'oci-layout'), 'utf8'));
    assert.deepEqual(version, { imageLayoutVersion: '1.0.0' });
  });
}

function ocDevice({ stage }: Scene): Device {
  const directory = join(stage.directory, 'device-oc');
  return {
    name: 'oc',
    directory,
    refusal: { status: 403 },
    args: ['--dir', directory, '--from-dir', directory],
    place: (flatTag) => `file://${flat}:${flatTag}`,
    blob: (digest) => join(directory, 'v2', flat, 'blobs', digest),
  };
}

function layoutDevice({ stage }: Scene): Device {
  const directory = join(stage.directory, 'device-oci');
  return {
    name: 'oci',
    directory,
    refusal: unknownBlob,
    args: [],
    place: (flatTag) => `oci:${directory}:${flatTag}`,
    blob: (digest) => join(directory, 'blobs/sha256', hexOf(digest)),
  };
}
