import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { ociLayout } from '../../../src/mirror/endpoints/oci-layout.ts';
import { allTags } from '../../../src/mirror/endpoints/reading.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';

const repository = parseRepository('layout');

function index(manifests: readonly unknown[], note = '') {
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, annotations: { note } };
  const bytes = Buffer.from(JSON.stringify(body));
  return {
    bytes,
    descriptor: { digest: digestOf(bytes), size: bytes.length, mediaType: mediaTypes.ociIndex },
  };
}

async function entriesOf(path: string): Promise<unknown[]> {
  return JSON.parse(await readFile(join(path, 'index.json'), 'utf8')).manifests;
}

test('a tag is an annotation, and a part of what is tagged has no entry', async (t) => {
  const path = t.testdir({});
  const layout = ociLayout(path);
  const part = index([]);
  const whole = index([part.descriptor]);
  await layout.putManifest(repository, { digest: part.descriptor.digest }, part);
  t.same(await entriesOf(path), [part.descriptor]);
  await layout.putManifest(repository, { tag: parseTag('v1') }, whole);
  const annotations = { 'org.opencontainers.image.ref.name': 'v1' };
  t.same(await entriesOf(path), [{ ...whole.descriptor, annotations }]);
  await layout.putManifest(repository, { digest: whole.descriptor.digest }, whole);
  t.equal((await entriesOf(path)).length, 1);
  t.equal(await readFile(join(path, 'oci-layout'), 'utf8'), '{"imageLayoutVersion":"1.0.0"}');
});

test('tags that are written at the same time are all kept', async (t) => {
  const path = t.testdir({});
  const layout = ociLayout(path);
  const tags = Array.from({ length: 20 }, (_, number) => parseTag(`v${number}`));
  await Promise.all(tags.map((tag) => layout.putManifest(repository, { tag }, index([], tag))));
  t.same(new Set(await Array.fromAsync(allTags(layout, repository))), new Set(tags));
});

test('entries of others are kept as they are, and an unreadable index is not overwritten', async (t) => {
  const path = t.testdir({});
  const layout = ociLayout(path);
  const theirs = { digest: 'blake3:1', size: 1, platform: { os: 'plan9' }, annotations: { mine: 'yes' } };
  await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [theirs] }));
  await layout.putManifest(repository, { tag: parseTag('v1') }, index([]));
  t.same((await entriesOf(path))[0], theirs);
  await writeFile(join(path, 'index.json'), '{"manifests":');
  const refused = layout.putManifest(repository, { tag: parseTag('v2') }, index([]));
  await t.rejects(refused, { code: 'UPSTREAM_INVALID', message: /is not the index of an OCI image layout/ });
  t.equal(await readFile(join(path, 'index.json'), 'utf8'), '{"manifests":');
});
