import { type Test, test } from 'tap';
import { copyImage } from '../../../src/mirror/copy/copy.ts';
import { createCopyRun } from '../../../src/mirror/copy/run.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { blobKey } from '../../../src/store/keys.ts';
import { made } from '../../store/s3/s3-store-fixture.ts';
import { readAll } from '../../support/bodies.ts';
import { type MissRig, type MissRigOptions, missRig } from '../../support/miss-rig.ts';
import type { DoubleImage } from '../../support/registry-contents.ts';

const tag = parseTag('ocp_4.5_base');
const from = { repository: parseRepository('ocp/4.5'), reference: { tag: parseTag('base') } };
const mib = 1024 * 1024;

interface Pulled {
  readonly rig: MissRig;
  readonly image: DoubleImage;
  readonly digests: readonly Digest[];
}

/**
 * A client that pulls what QCI lacks, and the copy of it, at the same time over a wire that takes a
 * while; both came through.
 */
async function pulledAndCopied(t: Test, layers: readonly number[], options: MissRigOptions): Promise<Pulled> {
  const rig = await missRig(t, options);
  const { qci, doubles, destination, repository } = rig;
  const image = doubles.source.addImage('ocp/4.5', 'base', { layers });
  const digests = [image.config, ...image.layers.map(({ digest }) => digest)];
  doubles.source.switches.bytesPerSecond = 20 * mib;
  await qci.manifests.resolve(repository, { tag });
  const pull = async (digest: Digest) => {
    const { bytes, error } = await readAll((await qci.blobs.open(repository, digest)).read());
    t.equal(error, undefined);
    return digestOf(bytes);
  };
  const pulled = Promise.all(digests.map(pull));
  await copyImage({ source: rig.copied, from, destination, to: { repository, tag } }, createCopyRun());
  t.same(await pulled, digests, 'the client has every byte');
  await rig.settled();
  t.equal(doubles.qci.tagOf('openshift/ci', tag), image.digest, 'QCI has the tag');
  for (const digest of digests) t.ok(doubles.qci.blobOf('openshift/ci', digest), 'and each blob');
  return { rig, image, digests };
}

const crossings = ({ doubles }: MissRig, digest: Digest) =>
  doubles.source.seen(`GET /v2/ocp/4.5/blobs/${digest}`).length;

test('with S3 as the store the bytes of the source cross the wire once, into it too', async (t) => {
  const { s3, store } = await made(t);
  const { rig, image, digests } = await pulledAndCopied(t, [300_000, 3 * mib], { medium: store });
  for (const digest of digests) {
    t.equal(crossings(rig, digest), 1);
    t.ok(s3.objects.has(`quayside/one/${blobKey(digest)}`));
  }
  t.equal(rig.doubles.source.seen('GET /v2/ocp/4.5/manifests/').length, 1);
  const restarted = await rig.restarted();
  for (const { digest, bytes } of image.layers) {
    const blob = await restarted.qci.blobs.open(rig.repository, digest);
    t.ok((await readAll(blob.read())).bytes.equals(bytes));
    t.equal(crossings(rig, digest), 1, 'nor again after a restart');
  }
});

/**
 * Each ask to hear that there is no room for the blob (the client for two caches), and once for its
 * bytes.
 */
const mostCrossings = 5;

test('where the spool has no room, each reader has the bytes from the source, and nothing is kept', async (t) => {
  const { rig, digests } = await pulledAndCopied(t, [300_000, 200_000], { spoolBytes: 10 });
  for (const digest of digests) {
    t.ok(crossings(rig, digest) <= mostCrossings, `${crossings(rig, digest)} crossings`);
    t.equal(await rig.store.stat(digest), undefined);
  }
});

test('where one blob has no room in the spool, the others cross once', async (t) => {
  const { rig, image } = await pulledAndCopied(t, [300_000, 200_000], { spoolBytes: 500_000 });
  const counts = image.layers.map(({ digest }) => crossings(rig, digest)).toSorted();
  t.equal(counts[0], 1);
});
