import { type Test, test } from 'tap';
import {
  ClientManifests,
  type ClientManifestsOptions,
} from '../../../src/cache/manifests/client-manifests.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import type { Repository, Tag } from '../../../src/oci/reference.ts';
import { readAll } from '../../support/bodies.ts';
import { type CacheRig, type CacheRigOptions, cacheRig } from '../../support/cache-rig.ts';
import type { DoubleImage } from '../../support/registry-contents.ts';

const criO = (architecture: string) => `cri-o/1.37.0 go/go1.26.0 os/linux arch/${architecture}`;
const podman = 'containers/5.42.1 (github.com/containers/image)';
const unavailable = { code: 'UNAVAILABLE' };

interface Rig extends CacheRig {
  readonly images: Readonly<Record<'amd64' | 'arm64', DoubleImage>>;
  readonly index: Digest;
  /** The index, by its tag. */
  latest(userAgent?: string): ReturnType<CacheRig['registry']['manifests']['resolve']>;
  byDigest(digest: Digest, userAgent?: string): ReturnType<CacheRig['registry']['manifests']['resolve']>;
  /** Pulls every blob of the image. */
  pulled(image: DoubleImage): Promise<void>;
  layerOf(image: DoubleImage): Digest;
  /** The upstream fails with the layer of the image. */
  failing(image: DoubleImage): Promise<void>;
}

/**
 * A cache over an index of two images under `latest`, each also under the name of its architecture.
 */
async function rigged(t: Test, options?: CacheRigOptions): Promise<Rig> {
  const rig = await cacheRig(t, options);
  const { repository, registry, double } = rig;
  const images = {
    amd64: double.addImage(repository, 'amd64', { layers: [200_000] }),
    arm64: double.addImage(repository, 'arm64', { layers: [200_001] }),
  };
  const manifests = Object.entries(images).map(([architecture, { digest, manifest }]) => ({
    mediaType: mediaTypes.ociManifest,
    digest,
    size: manifest.length,
    platform: { os: 'linux', architecture },
  }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  const index = double.addManifest(repository, bytes, mediaTypes.ociIndex, 'latest');
  const layerOf = ({ layers: [layer] }: DoubleImage): Digest => {
    if (layer === undefined) throw new Error('the image has no layer');
    return layer.digest;
  };
  const open = (digest: Digest) => registry.blobs.open(repository, digest);
  return Object.assign(rig, {
    images,
    index,
    layerOf,
    latest: (userAgent?: string) =>
      registry.manifests.resolve(repository, { tag: rig.tag('latest') }, userAgent),
    byDigest: (digest: Digest, userAgent?: string) =>
      registry.manifests.resolve(repository, { digest }, userAgent),
    async pulled(image: DoubleImage) {
      await registry.manifests.resolve(repository, { digest: image.digest });
      for (const digest of [image.config, layerOf(image)]) await readAll((await open(digest)).read());
      await rig.settled();
    },
    async failing(image: DoubleImage) {
      double.switches.status = { of: 'blobs', code: 503 };
      await open(layerOf(image)).catch(() => undefined);
      delete double.switches.status;
    },
  });
}

test('what leads to a blob that could not be delivered is refused for a minute, by whatever name', async (t) => {
  const { latest, byDigest, images, index, failing, pass, registry, repository, settled } = await rigged(t);
  await latest();
  await settled();
  pass(61_000);
  await failing(images.amd64);
  await t.rejects(latest(), unavailable);
  await t.rejects(byDigest(index), unavailable);
  await t.rejects(byDigest(images.amd64.digest), unavailable);
  t.equal(registry.manifests.ready(repository, { digest: index }), undefined);
  t.ok(await byDigest(images.arm64.digest), 'what does not lead there is answered');
  pass(60_000);
  t.ok(await byDigest(images.amd64.digest));
  t.ok(await latest());
});

for (const code of [401, 403, 404, 429, 500]) {
  test(`a blob that the upstream answers with ${code} is one of those`, async (t) => {
    const { byDigest, images, registry, repository, layerOf, double, pass } = await rigged(t);
    await byDigest(images.amd64.digest);
    double.switches.status = { of: 'blobs', code };
    await t.rejects(registry.blobs.open(repository, layerOf(images.amd64)));
    delete double.switches.status;
    pass(6_000);
    await t.rejects(byDigest(images.amd64.digest), unavailable);
  });
}

test('so is one that breaks off for ever, or is another than its digest says', async (t) => {
  for (const lie of [{ servesWrongBytes: true }, { dropsAfter: { bytes: 0, times: 1_000 } }]) {
    const { byDigest, images, registry, repository, layerOf, double, settled } = await rigged(t);
    await byDigest(images.amd64.digest);
    Object.assign(double.switches, lie);
    const opened = await registry.blobs.open(repository, layerOf(images.amd64)).catch(() => undefined);
    if (opened !== undefined) t.ok((await readAll(opened.read())).error);
    await settled();
    await t.rejects(byDigest(images.amd64.digest), unavailable);
  }
});

test('once the blob has come, by whatever way, nothing is refused any more', async (t) => {
  const { byDigest, images, failing, layerOf, registry, replica, repository, pass, settled } =
    await rigged(t);
  for (const [image, through] of [
    [images.amd64, replica()],
    [images.arm64, { registry, settled }],
  ] as const) {
    pass(1_000);
    await byDigest(image.digest);
    await failing(image);
    await t.rejects(byDigest(image.digest), unavailable);
    pass(1_000);
    await readAll((await through.registry.blobs.open(repository, layerOf(image))).read());
    await through.settled();
    t.ok(await byDigest(image.digest));
  }
});

test('a digest that no manifest lists withholds nothing', async (t) => {
  const { latest, registry, repository, index, settled } = await rigged(t);
  await latest();
  await settled();
  const invented = `sha256:${'0'.repeat(64)}` as Digest;
  await t.rejects(registry.blobs.open(repository, invented), { code: 'BLOB_UNKNOWN' });
  t.ok(await latest());
  t.ok(registry.manifests.ready(repository, { digest: index }));
});

test('a client that says its platform is refused for that platform alone', async (t) => {
  const { latest, images, failing, settled } = await rigged(t);
  await latest();
  await settled();
  await failing(images.arm64);
  t.ok(await latest(criO('amd64')));
  await t.rejects(latest(criO('arm64')), unavailable);
  await t.rejects(latest(podman), unavailable);
});

test('the children of an index come behind its answer, so that no client fails between the two', async (t) => {
  const { latest, byDigest, images, asked, settled, double } = await rigged(t);
  await latest();
  await settled();
  t.equal(asked(`GET /v2/openshift/ci/manifests/${images.amd64.digest}`), 1);
  t.equal(asked(`GET /v2/openshift/ci/manifests/${images.arm64.digest}`), 1);
  double.switches.down = true;
  for (const { digest } of Object.values(images)) t.ok(await byDigest(digest, podman));
  await latest();
  t.equal(asked(`GET /v2/openshift/ci/manifests/${images.arm64.digest}`), 1);
});

test('that can be left to the clients', async (t) => {
  const { latest, asked, settled } = await rigged(t, { fetchChildren: false });
  await latest();
  await settled();
  t.equal(asked('GET /v2/openshift/ci/manifests/'), 1);
});

test('with the upstream gone an index is for the platforms that are stored; for others it is refused', async (t) => {
  const { latest, images, pulled, double, pass, settled } = await rigged(t);
  await latest();
  await pulled(images.amd64);
  await settled();
  double.switches.down = true;
  pass(6_000);
  t.ok(await latest(criO('amd64')));
  await t.rejects(latest(criO('arm64')), unavailable);
  await t.rejects(latest(podman), unavailable, 'it might be any');
  double.switches.down = false;
  pass(61_000);
  await pulled(images.arm64);
  double.switches.down = true;
  pass(6_000);
  for (const userAgent of [criO('amd64'), criO('arm64'), podman, undefined]) t.ok(await latest(userAgent));
});

test('an index that is complete for a platform is ready for it, and for no other', async (t) => {
  const { latest, images, pulled, registry, repository, pass, double } = await rigged(t);
  await latest();
  await pulled(images.amd64);
  await latest(criO('amd64'));
  double.switches.down = true;
  pass(6_000);
  const ready = (userAgent: string) =>
    registry.manifests.ready(repository, { tag: 'latest' as Tag }, userAgent);
  t.ok(ready(criO('amd64')));
  t.notOk(ready(criO('arm64')));
  t.notOk(ready(podman));
});

test('a child of an index that was just answered is answered, whatever there is of its blobs', async (t) => {
  const { latest, byDigest, images, failing, double, pass, settled, registry } = await rigged(t);
  await latest();
  await settled();
  await failing(images.amd64);
  double.switches.down = true;
  t.ok(registry.manifests.isChild(images.amd64.digest));
  t.ok(await byDigest(images.amd64.digest));
  pass(61_000);
  t.notOk(registry.manifests.isChild(images.amd64.digest));
  await t.rejects(byDigest(images.amd64.digest), unavailable);
});

test('a child that failed withholds its index; one that an index lacks for good only from those who want it', async (t) => {
  const passing = await rigged(t, { fetchChildren: false });
  await passing.latest();
  passing.double.switches.status = { of: 'manifests', code: 503 };
  await t.rejects(passing.byDigest(passing.images.arm64.digest), unavailable);
  delete passing.double.switches.status;
  await t.rejects(passing.latest(podman), unavailable);
  t.ok(await passing.latest(criO('amd64')));

  const sparse = await rigged(t, { fetchChildren: false });
  await sparse.latest();
  sparse.double.removeManifest(sparse.repository, sparse.images.arm64.digest);
  await t.rejects(sparse.byDigest(sparse.images.arm64.digest), { code: 'MANIFEST_UNKNOWN' });
  t.ok(await sparse.latest(podman));
  t.ok(await sparse.latest(criO('amd64')));
  await t.rejects(sparse.latest(criO('arm64')), unavailable);
});

test('a throttled blob is not asked for again before its time, and the client does not wait twice', async (t) => {
  const { byDigest, images, registry, repository, layerOf, double, asked, pass } = await rigged(t);
  await byDigest(images.amd64.digest);
  const layer = layerOf(images.amd64);
  double.switches.throttles = Number.POSITIVE_INFINITY;
  double.switches.retryAfter = '30';
  await t.rejects(registry.blobs.open(repository, layer), { code: 'TOOMANYREQUESTS' });
  const before = asked(layer);
  for (let tries = 0; tries < 4; tries += 1)
    await t.rejects(registry.blobs.open(repository, layer), { code: 'TOOMANYREQUESTS' });
  t.equal(asked(layer), before);
  double.switches.throttles = 0;
  pass(30_000);
  t.ok(await registry.blobs.open(repository, layer));
});

const signature = `sha256-${'a'.repeat(64)}.sig`;

test('of a signature everything small is fetched, since clients ask only for some of it', async (t) => {
  const { double, repository, registry, settled, pass, tag, asked } = await rigged(t);
  const { config, layers } = double.addImage(repository, signature, { layers: [250] });
  const get = () => registry.manifests.resolve(repository, { tag: tag(signature) });
  await get();
  await settled();
  for (const digest of [config, ...layers.map((layer) => layer.digest)]) t.equal(asked(digest), 1);
  double.switches.down = true;
  pass(70_000);
  t.ok(await get());
});

test('that there is no signature is the answer while the upstream cannot be asked, once it was seen', async (t) => {
  const { double, repository, registry, pass, tag } = await rigged(t);
  const get = (name: string) => registry.manifests.resolve(repository, { tag: tag(name) });
  await t.rejects(get(signature), { code: 'MANIFEST_UNKNOWN' });
  await t.rejects(get('no-signature'), { code: 'MANIFEST_UNKNOWN' });
  pass(3_600_000);
  for (const trouble of [{ down: true }, { down: false, status: { of: 'manifests', code: 429 } }] as const) {
    Object.assign(double.switches, trouble);
    await t.rejects(get(signature), { code: 'MANIFEST_UNKNOWN' });
  }
  await t.rejects(get('no-signature'), { code: 'TOOMANYREQUESTS' });
  await t.rejects(get(signature.replace('aa', 'bb')), { code: 'TOOMANYREQUESTS' }, 'nothing is known of it');
});

test('a question that nothing answers ends in its time', async (t) => {
  const forever = new Promise<never>(() => undefined);
  const options = {
    resolved: { ready: () => undefined, resolve: () => forever, settled: async () => undefined },
    longestMs: 20,
    now: Date.now,
  };
  const answers = new ClientManifests(options as unknown as ClientManifestsOptions);
  await t.rejects(answers.resolve('team/app' as Repository, { tag: 'latest' as Tag }), unavailable);
});
