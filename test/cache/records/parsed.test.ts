import { test } from 'tap';
import { createParsedManifests } from '../../../src/cache/records/parsed.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';

/** A manifest that counts how often its bytes are looked at. */
function counted(text: string, mediaType: string, digest = digestOf(Buffer.from(text))) {
  const looks = { count: 0 };
  const manifest = {
    descriptor: { digest, size: text.length, mediaType },
    get bytes() {
      looks.count += 1;
      return Buffer.from(text);
    },
  };
  return { manifest, looks };
}

const layer = { digest: digestOf(Buffer.from('layer')), size: 5 };
const image = JSON.stringify({ schemaVersion: 2, layers: [layer] });

test('that bytes are a manifest is remembered when what they list is not', async (t) => {
  const parsed = createParsedManifests();
  const { manifest, looks } = counted(image, mediaTypes.ociManifest);
  t.equal(parsed.isOne(manifest), true);
  const layers = Array.from({ length: 60_000 }, () => layer);
  for (const name of ['one', 'two']) {
    const giant = JSON.stringify({ schemaVersion: 2, name, layers });
    parsed.of(counted(giant, mediaTypes.ociManifest).manifest);
  }
  const before = looks.count;
  t.equal(parsed.isOne(manifest), true);
  t.equal(looks.count, before);
  t.match(parsed.of(manifest), { blobs: [layer] });
  t.ok(looks.count > before, 'and what it lists is read again');
});

test('what is no manifest is read once, and under another type it may be one', async (t) => {
  const parsed = createParsedManifests();
  const mistaken = counted(image, mediaTypes.ociIndex);
  t.equal(parsed.isOne(mistaken.manifest), false);
  const { count } = mistaken.looks;
  t.equal(parsed.isOne(mistaken.manifest), false);
  t.equal(parsed.orNone(mistaken.manifest), undefined);
  t.ok(mistaken.looks.count <= count + 1);
  t.match(parsed.orNone(counted(image, mediaTypes.ociManifest).manifest), { blobs: [layer] });
});

test('bytes that the digest does not name say nothing about it', async (t) => {
  const parsed = createParsedManifests();
  const digest = digestOf(Buffer.from(image));
  for (const text of ['no manifest', `${image} `])
    t.equal(parsed.isOne(counted(text, mediaTypes.ociManifest, digest).manifest), false);
  t.equal(parsed.isOne(counted(image, mediaTypes.ociManifest).manifest), true);
});
