import assert from 'node:assert/strict';
import { acceptManifests } from '../../../src/oci/manifest.ts';
import { generatedArtifact, pushImage, referrersIndex, referrersTag } from '../../support/images.ts';
import { assertRegistryHolds } from '../fixtures/compare.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { multiArch } from '../fixtures/images.ts';
import { mirrorCommand, type Pair } from '../fixtures/mirror.ts';
import {
  assertAllHeld,
  assertFlatHolds,
  flat,
  intoFlat,
  outOfFlat,
  type Placed,
  placed,
  pushAll,
  smallImages,
} from '../fixtures/mirrored.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import { mounted, pushed, repeated, uploaded } from '../fixtures/uploads.ts';
import type { Scenario, Scene } from '../scenario.ts';

/**
 * From registry to registry and on to a third, as people do it with `oc image mirror`; skopeo is
 * the judge.
 */
export const mirrorRegistries: Scenario = {
  name: 'mirror-registries',
  needs: ['docker-registry', 'skopeo'],
  async play(scene) {
    const source = await registry(scene, { name: 'source' });
    const qci = await registry(scene, { name: 'qci', deletes: true });
    const appCi = await registry(scene, { name: 'app-ci' });
    const images = [
      ...(await smallImages(12)),
      placed(await multiArch('mirrored', 'oci'), 'team/app', 'oci'),
      placed(await multiArch('mirrored too', 'docker'), 'team/app', 'docker'),
    ];
    await pushAll(source.url, images);
    await copied(scene, source, qci, images);
    await judged(scene, source, qci, images);
    await again(scene, source, qci, images);
    await onward(scene, qci, appCi, images);
    await attached(scene, source, qci, images);
  },
};

async function copied(scene: Scene, source: Registry, qci: Registry, images: readonly Placed[]) {
  const { fact, stage } = scene;
  const mirror = await mirrorCommand(stage);
  const pairs = intoFlat(source.host, qci.host, images);
  const file = await mirror.mapping('to-qci.txt', pairs);
  await source.forget();

  await fact('a mapping file of images is mirrored, and each digest and destination is a line', async () => {
    const { stdout, stderr } = await mirror.run(['-f', file]);
    const lines = images.map(
      ({ image, flatTag }) => `${image.root.descriptor.digest} ${target(qci, flatTag)}`,
    );
    for (const line of lines) assert.ok(stdout.split('\n').includes(line), `${line}\n${stdout}`);
    assert.match(stderr, /^info: Mirroring completed in \S+ \(\S+\)$/m);
  });
  await fact('every manifest and every blob is at the destination, byte for byte', () =>
    assertFlatHolds(qci.url, images),
  );
  await fact('no blob was uploaded twice, and no tag was pushed twice', async () => {
    const asked = await qci.asked();
    assert.deepEqual(repeated(uploaded(asked)), []);
    assert.deepEqual(repeated(pushed(asked)), []);
  });
  await fact('the source sent each blob once, however many images share it', async () => {
    const gets = (await source.asked()).filter(
      ({ method, path }) => method === 'GET' && path.includes('/blobs/'),
    );
    assert.deepEqual(repeated(gets.map(({ path }) => path.slice(path.indexOf('sha256:')))), []);
  });
}

async function judged(scene: Scene, source: Registry, qci: Registry, images: readonly Placed[]) {
  const { fact, stage } = scene;
  const { env } = await containersConfig(stage);
  const skopeo = (...args: string[]) => stage.run(scene.path('skopeo'), args, { env });
  const raw = async (reference: string) =>
    (await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${reference}`)).bytes;
  const other = await registry(scene, { name: 'by-skopeo' });

  await fact('skopeo inspects the same manifests at both ends', async () => {
    for (const { source: from, destination: to } of intoFlat(source.host, qci.host, images))
      assert.deepEqual(await raw(to), await raw(from));
  });
  await fact('skopeo copy, given the same pairs, makes the same digests', async () => {
    for (const pair of intoFlat(source.host, other.host, images)) await skopeo(...copyArgs(pair));
    for (const { flatTag } of images)
      assert.equal(await digestAt(other, flatTag), await digestAt(qci, flatTag));
  });
}

async function again({ fact, stage }: Scene, source: Registry, qci: Registry, images: readonly Placed[]) {
  const mirror = await mirrorCommand(stage);
  const file = await mirror.mapping('again.txt', intoFlat(source.host, qci.host, images));
  const forgotten = () => Promise.all([source.forget(), qci.forget()]);

  await forgotten();
  await fact('a second run asks each side once for each image, by HEAD, and for nothing else', async () => {
    await mirror.run(['-f', file]);
    for (const side of [source, qci]) {
      const asked = (await side.asked()).filter(({ path }) => path !== '/v2/');
      assert.deepEqual([...new Set(asked.map(({ method }) => method))], ['HEAD']);
      assert.equal(asked.length, images.length);
      assert.deepEqual(repeated(asked.map(({ path }) => path)), []);
    }
  });
  await forgotten();
  await fact('after an image is gone from the destination, a run brings just that one', async () => {
    const [lost] = images;
    assert.ok(lost);
    const { digest } = lost.image.root.descriptor;
    await fetch(`${qci.url}/v2/${flat}/manifests/${digest}`, { method: 'DELETE' });
    await mirror.run(['-f', file]);
    assert.deepEqual(pushed(await qci.asked()), [`${flat}:${lost.flatTag}`]);
    assert.deepEqual(uploaded(await qci.asked()), []);
    await assertFlatHolds(qci.url, [lost]);
  });
  await forgotten();
  await fact('a dry run writes nothing, and says so', async () => {
    const { stderr } = await mirror.run(['-f', file, '--force', '--dry-run']);
    assert.match(stderr, /^info: Dry run complete$/m);
    assert.deepEqual(pushed(await qci.asked()), []);
  });
}

async function onward({ fact, stage }: Scene, qci: Registry, appCi: Registry, images: readonly Placed[]) {
  const mirror = await mirrorCommand(stage);
  const file = await mirror.mapping('to-app-ci.txt', outOfFlat(qci.host, appCi.host, images));

  await fact('from one repository on to many, each image arrives where its name says', async () => {
    await mirror.run(['-f', file]);
    await assertAllHeld(appCi.url, images);
  });
  await fact(
    'a layer that many repositories share crosses the wire once and is mounted from there',
    async () => {
      const asked = await appCi.asked();
      const digests = uploaded(asked).map((each) => each.slice(each.indexOf('@')));
      assert.deepEqual(repeated(digests), []);
      assert.ok(mounted(asked).length > 0);
    },
  );
}

async function attached({ fact, stage }: Scene, source: Registry, qci: Registry, images: readonly Placed[]) {
  const [first] = images;
  assert.ok(first);
  const { image, repository } = first;
  const subject = image.root.descriptor;
  const signature = generatedArtifact({ subject, artifactType: 'application/vnd.example.signature' });
  const list = referrersTag(subject.digest);
  await pushImage(source.url, repository, undefined, signature);
  await pushImage(source.url, repository, list, referrersIndex([signature]));
  const mirror = await mirrorCommand(stage);
  const file = await mirror.mapping('attached.txt', intoFlat(source.host, qci.host, [first]));

  await fact('a signature goes along where it is asked for, and is listed at the destination', async () => {
    await mirror.run(['-f', file]);
    assert.equal((await fetch(`${qci.url}/v2/${flat}/manifests/${list}`)).status, 404);
    await mirror.run(['-f', file, '--referrers']);
    await assertRegistryHolds(qci.url, flat, signature.root.descriptor.digest, signature);
    const answer = await fetch(`${qci.url}/v2/${flat}/manifests/${list}`, {
      headers: { accept: acceptManifests },
    });
    const { manifests } = (await answer.json()) as {
      readonly manifests: readonly { readonly digest: string }[];
    };
    assert.deepEqual(
      manifests.map(({ digest }) => digest),
      [signature.root.descriptor.digest],
    );
  });
}

function target({ host }: Registry, flatTag: string): string {
  return `${host}/${flat}:${flatTag}`;
}

function copyArgs({ source, destination }: Pair): string[] {
  const insecure = ['--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false'];
  const places = [`docker://${source}`, `docker://${destination}`];
  return ['copy', '--all', '--preserve-digests', ...insecure, ...places];
}

async function digestAt({ url }: Registry, flatTag: string): Promise<string | null> {
  const headers = { accept: acceptManifests };
  const answer = await fetch(`${url}/v2/${flat}/manifests/${flatTag}`, { method: 'HEAD', headers });
  assert.equal(answer.status, 200);
  return answer.headers.get('docker-content-digest');
}
