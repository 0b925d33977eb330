import { test } from 'tap';
import { cachedReader } from '../../../src/cache/registry/cached-reader.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { randomContent, readAll, until } from '../../support/bodies.ts';
import { missRig } from '../../support/miss-rig.ts';

const repository = parseRepository('ocp/4.5');
const tag = parseTag('base');
const nothing = parseDigest(`sha256:${'0'.repeat(64)}`);

async function rigWithBlob(t: Parameters<typeof missRig>[0]) {
  const rig = await missRig(t);
  const { bytes, descriptor } = randomContent(2_000_000);
  rig.doubles.source.addBlob(repository, bytes);
  return { ...rig, bytes, digest: descriptor.digest, asked: rig.doubles.source.requests };
}

test('a tag is asked of the source each time, its manifest once', async (t) => {
  const { copied, doubles } = await missRig(t);
  const { digest, manifest } = doubles.source.addImage(repository, tag);
  for (let time = 0; time < 3; time += 1) {
    const answer = await copied.manifest(repository, { tag });
    t.match(answer, { kind: 'found', descriptor: { digest }, bytes: manifest });
  }
  t.equal(doubles.source.seen('HEAD ').length, 3);
  t.equal(doubles.source.seen('GET ').length, 1);
  const moved = doubles.source.addImage(repository, tag, { layers: [1] });
  t.match(await copied.manifest(repository, { tag }), { descriptor: { digest: moved.digest } });
});

test('what is not there is absent', async (t) => {
  const { copied } = await missRig(t);
  t.match(await copied.manifest(repository, { tag }), { kind: 'absent' });
  t.match(await copied.manifest(repository, { digest: nothing }), { kind: 'absent' });
  t.equal(await copied.openBlob(repository, nothing), undefined);
});

test('a blob is downloaded once, however often it is read and from wherever', async (t) => {
  const { copied, bytes, digest, asked, settled } = await rigWithBlob(t);
  const whole = await copied.openBlob(repository, digest);
  t.equal(whole?.size, bytes.length);
  const rest = await copied.openBlob(repository, digest, { start: 1_900_000 });
  const [all, part] = await Promise.all([whole, rest].map((blob) => blob && readAll(blob.body)));
  t.ok(all?.bytes.equals(bytes));
  t.ok(part?.bytes.equals(bytes.subarray(1_900_000)));
  await settled();
  const end = await copied.openBlob(repository, digest, { start: bytes.length });
  t.equal(end && (await readAll(end.body)).bytes.length, 0);
  t.equal(asked.length, 1);
});

test('a closed blob delays no reader, and the download goes on', async (t) => {
  const { copied, digest, bytes, doubles, settled, store } = await rigWithBlob(t);
  doubles.source.switches.bytesPerSecond = 10_000_000;
  const blob = await copied.openBlob(repository, digest);
  const reading = blob && readAll(blob.body);
  blob?.close();
  t.ok((await reading)?.error);
  await settled();
  t.equal((await store.stat(digest))?.size, bytes.length);
});

test('unrequested content bypasses the cache, and joins a running download', async (t) => {
  const { source, digest, bytes, asked, store } = await rigWithBlob(t);
  const here = new Set<string>();
  const past = cachedReader(source.upstream, source, { isCached: (each) => here.has(each) });
  const blob = await past.openBlob(repository, digest);
  t.ok(blob && (await readAll(blob.body)).bytes.equals(bytes));
  t.equal(await store.stat(digest), undefined);
  const pulled = await source.blobs.open(repository, digest);
  here.add(digest);
  const joined = await past.openBlob(repository, digest);
  t.ok(joined && (await readAll(joined.body)).bytes.equals(bytes));
  await readAll(pulled.read());
  t.equal(asked.filter(({ method }) => method === 'GET').length, 2);
  await until(async () => (await store.stat(digest)) !== undefined);
});

test('lists are those of the source', async (t) => {
  const { copied, doubles } = await missRig(t);
  const { digest } = doubles.source.addImage(repository, tag);
  t.same((await copied.tags(repository, ''))?.tags, [tag]);
  t.match(await copied.referrers(repository, digest, ''), { mediaType: mediaTypes.ociIndex });
  const blob = doubles.source.addBlob(repository, Buffer.from('a blob'));
  t.match(await copied.statBlob(repository, blob), { digest: blob, size: 6 });
});
