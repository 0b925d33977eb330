import { test } from 'tap';
import { mediaTypes, parseManifest } from '../../src/oci/manifest.ts';

const digest = (fill: string): string => `sha256:${fill.repeat(64)}`;
const read = (value: unknown, type?: string) => parseManifest(Buffer.from(JSON.stringify(value)), type);

test('a manifest refers to its config and layers, foreign layers left out', async (t) => {
  const manifest = read({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { digest: digest('a'), size: 10, mediaType: 'application/vnd.oci.image.config.v1+json' },
    layers: [
      { digest: digest('b'), size: 20 },
      { digest: digest('c'), size: 30, urls: ['https://elsewhere.example/layer'] },
    ],
    subject: { digest: digest('d'), size: 40 },
  });
  t.same(
    manifest.blobs.map(({ size }) => size),
    [10, 20],
  );
  t.match(manifest.foreign, [{ digest: digest('c'), size: 30 }]);
  t.match(manifest, {
    subject: { digest: digest('d') },
    artifactType: 'application/vnd.oci.image.config.v1+json',
  });
});

for (const mediaType of [mediaTypes.ociArtifact, mediaTypes.orasArtifact]) {
  test(`${mediaType} refers to its blobs and its subject`, async (t) => {
    const artifact = { mediaType, artifactType: 'a/b', blobs: [{ digest: digest('a'), size: 1 }] };
    t.match(read({ ...artifact, subject: { digest: digest('b'), size: 2 } }), {
      mediaType,
      artifactType: 'a/b',
      blobs: [{ digest: digest('a'), size: 1 }],
      subject: { digest: digest('b') },
    });
    t.same(read({ blobs: artifact.blobs, layers: [] }).blobs, [], 'which no other manifest has');
  });
}

test('an index refers to its children', async (t) => {
  const index = read({ manifests: [{ digest: digest('a'), size: 1 }] });
  t.match(index, { mediaType: mediaTypes.ociIndex, children: [{ digest: digest('a') }], blobs: [] });
});

test('the stated type decides, without its parameters', async (t) => {
  t.equal(
    read({ layers: [] }, `${mediaTypes.dockerManifest}; charset=utf-8`).mediaType,
    mediaTypes.dockerManifest,
  );
  t.equal(read({ layers: [] }, 'application/json').mediaType, mediaTypes.ociManifest);
});

test('schema 1 is recognised, and its layers counted once', async (t) => {
  const layers = [{ blobSum: digest('a') }, { blobSum: digest('a') }, { blobSum: digest('b') }];
  const manifest = read(
    { schemaVersion: 1, fsLayers: layers, signatures: [] },
    mediaTypes.dockerSchema1Signed,
  );
  t.match(manifest, {
    mediaType: mediaTypes.dockerSchema1Signed,
    blobs: [{ digest: digest('a') }, { digest: digest('b') }],
  });
});

test('what is not a manifest is the upstream’s fault', async (t) => {
  for (const text of ['<html>Sign in</html>', '[]', '{}', '"x"', '\xff\xfe']) {
    t.throws(() => parseManifest(Buffer.from(text, 'latin1'), undefined), { code: 'UPSTREAM_INVALID' });
  }
});

test('a manifest that also lists what its type does not list is refused', async (t) => {
  const entries = [{ digest: digest('a'), size: 1 }];
  const both = { manifests: entries, layers: entries };
  const ambiguous: readonly (readonly [type: string, body: object])[] = [
    [mediaTypes.ociManifest, both],
    [mediaTypes.ociIndex, both],
    [mediaTypes.ociManifest, { manifests: entries }],
    [mediaTypes.dockerList, { layers: entries }],
    [mediaTypes.ociIndex, { manifests: entries, config: entries[0] }],
    [mediaTypes.ociIndex, { manifests: entries, layers: [{ ...entries[0], urls: ['https://a.example'] }] }],
    [mediaTypes.dockerManifest, { layers: entries, fsLayers: [{ blobSum: digest('b') }] }],
    [mediaTypes.dockerSchema1, { layers: entries }],
    [mediaTypes.dockerSchema1Signed, { fsLayers: [], manifests: entries }],
  ];
  for (const [type, body] of ambiguous)
    t.throws(() => read(body, type), { code: 'UPSTREAM_INVALID' }, `${type} ${Object.keys(body)}`);
  t.throws(() => read(both), { code: 'UPSTREAM_INVALID' });
  t.match(read({ manifests: entries, layers: [] }, mediaTypes.ociIndex), { children: entries, blobs: [] });
});

test('a manifest that nests without end is refused before it is parsed', async (t) => {
  const deep = `{"schemaVersion":2,"layers":[],"x":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`;
  t.throws(() => parseManifest(Buffer.from(deep), mediaTypes.ociManifest), { code: 'UPSTREAM_INVALID' });
});
