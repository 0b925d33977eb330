import { test } from 'tap';
import { createManifestGraph, type ManifestReader } from '../../../src/cache/registry/manifest-graph.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';

type Lists = Readonly<Record<string, { children?: string[]; layers?: string[] }>>;

/** Manifests by name, each under the digest of its bytes, and a reader of them that counts. */
function manifests(lists: Lists) {
  const byDigest = new Map<Digest, Buffer>();
  const named = new Map<string, Digest>();
  const entries = (names: readonly string[] = [], mediaType: string) =>
    names.map((name) => ({ digest: digest(name), size: 1, mediaType }));

  function digest(name: string): Digest {
    const known = named.get(name);
    if (known !== undefined) return known;
    const bytes = bytesOf(name);
    const found = digestOf(bytes);
    named.set(name, found);
    if (name in lists) byDigest.set(found, bytes);
    return found;
  }

  function bytesOf(name: string): Buffer {
    const { children, layers } = lists[name] ?? {};
    if (!(name in lists)) return Buffer.from(name);
    return Buffer.from(
      JSON.stringify(
        children === undefined
          ? { layers: entries(layers, 'application/vnd.oci.image.layer.v1.tar') }
          : { manifests: entries(children, mediaTypes.ociIndex) },
      ),
    );
  }

  for (const name of Object.keys(lists)) digest(name);
  const state = { reads: 0, isDown: false };
  async function read(wanted: Digest) {
    state.reads += 1;
    if (state.isDown) throw new RegistryError('UNAVAILABLE', 'down');
    const bytes = byDigest.get(wanted);
    if (bytes === undefined) throw new RegistryError('MANIFEST_UNKNOWN', 'nowhere');
    return { descriptor: { digest: wanted, size: bytes.length }, bytes };
  }
  const reader: ManifestReader = { peek: () => undefined, stored: async () => undefined, read };
  return { reader, state, digest };
}

test('what hangs below is held at every level, read once, and known from then on', async (t) => {
  const { reader, state, digest } = manifests({
    root: { children: ['inner', 'other'] },
    inner: { children: ['image'] },
    other: { layers: ['b'] },
    image: { layers: ['a'] },
  });
  const below = createManifestGraph();
  t.equal(below.containsInMemory(digest('root'), digest('a'), reader), undefined);
  for (const name of ['root', 'inner', 'image', 'a', 'b'])
    t.equal(await below.contains(digest('root'), digest(name), reader), true, name);
  t.equal(await below.contains(digest('root'), digest('c'), reader), false);
  t.equal(state.reads, 4);
  t.equal(below.containsInMemory(digest('root'), digest('a'), reader), true);
  t.equal(below.containsInMemory(digest('root'), digest('c'), reader), false);
});

test('what is found needs nothing else to be read', async (t) => {
  const { reader, state, digest } = manifests({
    root: { children: ['image', 'unread'] },
    image: { layers: ['a'] },
  });
  const below = createManifestGraph();
  t.equal(await below.contains(digest('root'), digest('unread'), reader), true);
  t.equal(state.reads, 1);
});

test('the upstream is asked for nothing while what is stored has the answer', async (t) => {
  const { reader, state, digest } = manifests({
    root: { children: ['amd64', 'arm64', 's390x'] },
    s390x: { layers: ['a'] },
  });
  const isHere = (wanted: Digest): boolean => [digest('root'), digest('s390x')].includes(wanted);
  const stored = async (wanted: Digest) => (isHere(wanted) ? reader.read(wanted) : undefined);
  t.equal(await createManifestGraph().contains(digest('root'), digest('a'), { ...reader, stored }), true);
  t.equal(state.reads, 2);
});

test('a manifest that is nowhere has nothing below it', async (t) => {
  const { reader, digest } = manifests({ root: { children: ['gone'] } });
  t.equal(await createManifestGraph().contains(digest('root'), digest('a'), reader), false);
});

test('what cannot be read leaves the answer open, now and not for ever', async (t) => {
  const { reader, state, digest } = manifests({ root: { children: ['image'] }, image: { layers: ['a'] } });
  const below = createManifestGraph();
  t.equal(await below.contains(digest('root'), digest('image'), reader), true);
  state.isDown = true;
  await t.rejects(below.contains(digest('root'), digest('a'), reader), { code: 'UNAVAILABLE' });
  state.isDown = false;
  t.equal(await below.contains(digest('root'), digest('a'), reader), true);
});

test('many ways to the same manifest are one', async (t) => {
  const levels = 30;
  const lists = Object.fromEntries(
    Array.from({ length: levels }, (_, level) => [
      level,
      { children: [`${level + 1}`, `also ${level + 1}`] },
    ]),
  );
  const also = Object.fromEntries(
    Array.from({ length: levels }, (_, level) => [
      `also ${level}`,
      { children: [`${level + 1}`, `also ${level + 1}`] },
    ]),
  );
  const { reader, state, digest } = manifests({ ...lists, ...also });
  t.equal(await createManifestGraph().contains(digest('0'), digest('a'), reader), false);
  t.ok(state.reads <= 2 * levels + 2, `${state.reads} reads`);
});

test('too many manifests leave the answer open', async (t) => {
  const children = Array.from({ length: 100 }, (_, at) => `child ${at}`);
  const { reader, state, digest } = manifests({ root: { children } });
  await t.rejects(createManifestGraph({ mostRead: 20 }).contains(digest('root'), digest('a'), reader), {
    code: 'UNAVAILABLE',
  });
  t.ok(state.reads < 30);
});

test('a graph too large for memory is walked all the same', async (t) => {
  const { reader, digest } = manifests({
    root: { children: ['image'] },
    image: { layers: ['a', 'b', 'c'] },
  });
  const below = createManifestGraph({ maxDigests: 2 });
  t.equal(await below.contains(digest('root'), digest('c'), reader), true);
  t.equal(await below.contains(digest('root'), digest('d'), reader), false);
});

test('bytes that are not what the digest names are nothing', async (t) => {
  const { reader, digest } = manifests({ root: { layers: ['a'] }, other: { layers: ['b'] } });
  const mistaken = (wanted: Digest) =>
    reader.read(digest('other')).then(({ bytes }) => ({ descriptor: { digest: wanted, size: 1 }, bytes }));
  const lying = { ...reader, read: mistaken };
  t.equal(await createManifestGraph().contains(digest('root'), digest('b'), lying), false);
});
