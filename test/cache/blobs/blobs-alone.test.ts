import { test } from 'tap';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { readAll } from '../../support/bodies.ts';
import { type CacheRig, cacheRig } from '../../support/cache-rig.ts';

const latest = (rig: CacheRig) => rig.registry.manifests.resolve(rig.repository, { tag: rig.tag('latest') });

/** An index under `latest` that lists the digest as an image. */
function indexOf(rig: CacheRig, digest: string, size: number): void {
  const manifests = [{ mediaType: mediaTypes.ociManifest, digest, size }];
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  rig.double.addManifest(rig.repository, Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, 'latest');
}

test('a manifest is no blob, whether it is held or not, and without a question about blobs', async (t) => {
  const rig = await cacheRig(t);
  const { digest, manifest } = rig.double.addImage(rig.repository, 'v1');
  rig.double.addBlob(rig.repository, manifest);
  indexOf(rig, digest, manifest.length);
  const index = (await latest(rig)).descriptor.digest;
  for (const each of [index, digest, index, digest]) {
    await t.rejects(rig.registry.blobs.stat(rig.repository, each), { code: 'BLOB_UNKNOWN' });
    await t.rejects(rig.registry.blobs.open(rig.repository, each), { code: 'BLOB_UNKNOWN' });
  }
  t.equal(rig.asked('/blobs/'), 0);
  t.ok(await rig.registry.manifests.resolve(rig.repository, { digest }), 'which does not hide the manifest');
});

test('with the upstream gone a manifest that is held is no blob, and of another nothing is told', async (t) => {
  const rig = await cacheRig(t, { fetchChildren: false });
  const { digest, manifest } = rig.double.addImage(rig.repository, 'v1');
  indexOf(rig, digest, manifest.length);
  const index = (await latest(rig)).descriptor.digest;
  await rig.settled();
  rig.double.switches.down = true;
  await t.rejects(rig.registry.blobs.stat(rig.repository, index), { code: 'BLOB_UNKNOWN' });
  await t.rejects(rig.registry.blobs.stat(rig.repository, digest), { code: 'UNAVAILABLE' });
  const later = await rig.restarted();
  await t.rejects(later.blobs.stat(rig.repository, index), { code: 'BLOB_UNKNOWN' }, 'after a restart, too');
});

test('an index that calls a layer or a config an image hides neither', async (t) => {
  for (const bytes of [Buffer.alloc(2_000, 'layer'), Buffer.from('{"architecture":"amd64"}')]) {
    const rig = await cacheRig(t);
    const digest = rig.double.addBlob(rig.repository, bytes);
    indexOf(rig, digest, bytes.length);
    await latest(rig);
    const read = async () =>
      (await readAll((await rig.registry.blobs.open(rig.repository, digest)).read())).bytes;
    t.ok((await read()).equals(bytes));
    await rig.settled();
    t.ok((await read()).equals(bytes), 'nor once it is stored');
  }
});

test('a layer that is stored is none, whatever an index calls it, with the upstream gone', async (t) => {
  for (const size of [2_000, 5_000_000]) {
    const rig = await cacheRig(t);
    const digest = rig.double.addBlob(rig.repository, Buffer.alloc(size, 'layer'));
    indexOf(rig, digest, size);
    await latest(rig);
    const read = async ({ blobs }: CacheRig['registry']) =>
      (await readAll((await blobs.open(rig.repository, digest)).read())).bytes.length;
    t.equal(await read(rig.registry), size);
    await rig.settled();
    const later = await rig.restarted();
    rig.double.switches.down = true;
    t.equal(await read(later), size);
  }
});

test('a manifest of one repository may be a blob of another', async (t) => {
  const rig = await cacheRig(t);
  const other = parseRepository('team/backup');
  const { digest, manifest } = rig.double.addImage(rig.repository, 'latest');
  rig.double.addBlob(other, manifest);
  await latest(rig);
  t.ok((await readAll((await rig.registry.blobs.open(other, digest)).read())).bytes.equals(manifest));
});
