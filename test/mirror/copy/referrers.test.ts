import { test } from 'tap';
import { copyImage } from '../../../src/mirror/copy/copy.ts';
import { cosignTags } from '../../../src/mirror/copy/cosign-tags.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseTag, type Tag } from '../../../src/oci/reference.ts';
import { app, copyRig, latest, quickRun } from '../../support/copy-rig.ts';
import { indexImage, manifestBytes, plainImage, textBlob } from '../../support/memory-images.ts';

const plain = plainImage('amd64', [textBlob('layer')]);
const index = indexImage([['linux/amd64', plain]]);
const signature = plainImage('sig', [textBlob('signature')], {
  subject: index.root.descriptor,
  artifactType: 'application/vnd.example.signature',
});
const bill = plainImage('sbom', [textBlob('bill')], { subject: plain.root.descriptor });
const signedBill = plainImage('sbom-sig', [textBlob('signed')], { subject: bill.root.descriptor });
const tag: Tag = parseTag(index.root.descriptor.digest.replace(':', '-'));

function rig(destination: Parameters<typeof copyRig>[1] = {}) {
  const made = copyRig(index, destination);
  for (const image of [signature, bill, signedBill]) made.source.hold(app, image);
  return made;
}

test('what refers to an image and to its parts comes along, before the tag', async (t) => {
  const { source, destination, run, image } = rig();
  await copyImage(image({ referrers: true }), run);
  t.same(destination.contents(app).manifests, source.contents(app).manifests);
  t.same(destination.contents(app).blobs, source.contents(app).blobs);
  t.match(destination.calls.at(-1), { verb: 'put-manifest', reference: 'latest' });
  t.same([...destination.contents(app).tags.keys()], [latest]);
  const puts = destination.calls.filter(({ verb }) => verb === 'put-manifest').map((call) => call.reference);
  t.ok(puts.indexOf(index.root.descriptor.digest) < puts.indexOf(signature.root.descriptor.digest));
  t.not(puts.indexOf(index.root.descriptor.digest), -1);
});

test('what cosign keeps under tags of an image and of its parts comes along, and is kept up to date', async (t) => {
  const { source, destination, run, image } = copyRig(index);
  const [root = tag] = cosignTags(index.root.descriptor.digest);
  const bills = cosignTags(plain.root.descriptor.digest)[2] ?? tag;
  source.hold(app, plainImage('one signature', []), root);
  source.hold(app, plainImage('a bill', []), bills);
  await copyImage(image({ referrers: true }), run);
  t.same(destination.contents(app).tags, source.contents(app).tags);
  t.match(destination.calls.at(-1), { verb: 'put-manifest', reference: 'latest' });
  source.hold(app, plainImage('two signatures', []), root);
  await copyImage(image({ referrers: true }), quickRun());
  t.same(destination.contents(app).tags, source.contents(app).tags);
  t.same(cosignTags(digestOf(Buffer.from('x'), 'sha512')), []);
});

test('referrers that are not wanted are not requested', async (t) => {
  const { source, destination, run, image } = rig();
  await copyImage(image(), run);
  t.notMatch(source.counts(), { referrers: Number });
  t.equal(destination.contents(app).manifests.size, 2);
});

test('a referrer that came later is copied although the image is unchanged', async (t) => {
  const { destination, run, image } = rig();
  destination.hold(app, index, latest);
  t.match(await copyImage(image({ referrers: true }), run), { outcome: 'copied' });
  t.ok(destination.contents(app).manifests.has(signature.root.descriptor.digest));
  t.match(await copyImage(image({ referrers: true }), run), { outcome: 'unchanged' });
});

test('a destination without the referrers API gets them under the fallback tag, beside what is there', async (t) => {
  const { destination, run, image } = rig({
    destination: { tagsReferrers: true, takesPartialManifests: true },
  });
  const other = { digest: textBlob('other').descriptor.digest, size: 5, mediaType: mediaTypes.ociManifest };
  const list = manifestBytes(mediaTypes.ociIndex, { manifests: [other] });
  destination.hold(app, { root: list, manifests: [list], blobs: new Map() }, tag);
  await copyImage(image({ referrers: true }), run);
  const digest = destination.contents(app).tags.get(tag);
  const manifest = digest === undefined ? undefined : destination.contents(app).manifests.get(digest);
  t.match(JSON.parse(Buffer.from(manifest?.bytes ?? []).toString()), {
    mediaType: mediaTypes.ociIndex,
    manifests: [
      other,
      { digest: signature.root.descriptor.digest, artifactType: 'application/vnd.example.signature' },
    ],
  });
});

test('a list that names them already is left alone', async (t) => {
  const { destination, run, image } = rig({ destination: { tagsReferrers: true } });
  await copyImage(image({ referrers: true }), run);
  const puts = destination.counts()['put-manifest'];
  const again = copyRig(index);
  await copyImage(image({ referrers: true }), again.run);
  t.equal(destination.counts()['put-manifest'], puts);
});

test('what refers to an image and contains it, too, does not wait for itself', {
  timeout: 20_000,
}, async (t) => {
  const single = plainImage('single', [textBlob('layer')]);
  const subject = single.root.descriptor;
  const list = (name: string) => {
    const root = manifestBytes(mediaTypes.ociIndex, { manifests: [subject], subject, annotations: { name } });
    return { root, manifests: [root, ...single.manifests], blobs: single.blobs };
  };
  const [one, other] = [list('one'), list('other')];
  const { source, destination, run, image } = copyRig(single);
  for (const held of [one, other]) source.hold(app, held);
  source.hold(app, one, cosignTags(subject.digest)[0]);
  await copyImage(image({ referrers: true }), run);
  t.same(destination.contents(app).manifests, source.contents(app).manifests);
  t.same(destination.contents(app).tags, source.contents(app).tags);
});
