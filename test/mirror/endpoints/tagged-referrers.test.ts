import { test } from 'tap';
import { taggedReferrers } from '../../../src/mirror/endpoints/tagged-referrers.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { referrersTag } from '../../../src/oci/referrers-tag.ts';
import type { RegistryReader } from '../../../src/oci/registry-reader.ts';
import { app } from '../../support/copy-rig.ts';
import { memoryEnd } from '../../support/memory-ends.ts';
import { manifestBytes, plainImage } from '../../support/memory-images.ts';

const subject = plainImage('subject', []).root.descriptor.digest;
const entry = { ...plainImage('referrer', []).root.descriptor, annotations: { note: 'kept' }, extra: 1 };
const list = manifestBytes(mediaTypes.ociIndex, { manifests: [entry] });

function registry(pages: Awaited<ReturnType<RegistryReader['referrers']>>) {
  const end = memoryEnd('b.example');
  return { end, upstream: { manifest: end.manifest, referrers: async () => pages } };
}

test('a registry with the referrers API lists them by itself', async (t) => {
  const { upstream } = registry({ bytes: list.bytes, mediaType: mediaTypes.ociIndex, warnings: [] });
  t.equal(await taggedReferrers(upstream)(app, subject), undefined);
});

test('without the API the list under the tag is read as it is', async (t) => {
  const { end, upstream } = registry(undefined);
  t.same(await taggedReferrers(upstream)(app, subject), []);
  end.hold(app, { root: list, manifests: [list], blobs: new Map() }, referrersTag(subject));
  t.same(await taggedReferrers(upstream)(app, subject), [entry]);
});
