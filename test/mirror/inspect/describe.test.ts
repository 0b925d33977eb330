import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { describeImages } from '../../../src/mirror/inspect/describe.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import type { RegistryReader } from '../../../src/oci/registry-reader.ts';

test('of a huge list a few manifests are held at a time, in the order of the list', async (t) => {
  const manifests = new Map<Digest, Buffer>();
  const children = Array.from({ length: 300 }, (_, index) => {
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, layers: [], index }),
    );
    manifests.set(digestOf(bytes), bytes);
    const platform = { os: 'linux', architecture: `a${index}` };
    return { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length, platform };
  });
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children }),
  );
  let running = 0;
  let most = 0;
  const unasked = () => Promise.reject(new Error('nothing else is asked'));
  const reader: RegistryReader = {
    name: 'registry.example',
    async manifest(_repository, { digest }) {
      running += 1;
      most = Math.max(most, running);
      await turn();
      running -= 1;
      const bytes = digest === undefined ? index : (manifests.get(digest) ?? Buffer.alloc(0));
      const mediaType = digest === undefined ? mediaTypes.ociIndex : mediaTypes.ociManifest;
      const descriptor = { digest: digestOf(bytes), size: bytes.length, mediaType };
      return { kind: 'found', descriptor, bytes, warnings: [] };
    },
    ...{ statBlob: unasked, openBlob: unasked, tags: unasked, referrers: unasked },
  };
  const place = { reader, repository: parseRepository('team/app'), signal: new AbortController().signal };
  const found = await describeImages(place, { tag: parseTag('v1') }, { everyImage: true, referrers: false });
  t.same(
    found.map(({ digest }) => digest),
    children.map(({ digest }) => digest),
  );
  t.ok(most <= 8, `${most} at a time`);
});
