import { test } from 'tap';
import { inventoryOf } from '../../../src/cache/eviction/inventory.ts';
import { type StoredGraphOptions, storedGraph } from '../../../src/cache/eviction/stored-graph.ts';
import { type BlobSource, bytesOf, type StoredBlob } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const { blobs } = createMemoryStore();

async function kept(bytes: Uint8Array) {
  const descriptor = { digest: digestOf(bytes), size: bytes.byteLength };
  await blobs.put(descriptor, bytesOf(bytes));
  return descriptor;
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

const layer = await kept(Buffer.from('layer'));
const config = await kept(json({ architecture: 'amd64', rootfs: { type: 'layers' } }));
const absent = { digest: digestOf(Buffer.from('absent')), size: 6 };
const manifest = await kept(
  json({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer, absent] }),
);
const index = await kept(json({ schemaVersion: 2, manifests: [manifest, absent] }));
const schema1 = await kept(
  json({ schemaVersion: 1, fsLayers: [{ blobSum: layer.digest }, { blobSum: layer.digest }] }),
);
const all = [layer, config, manifest, index, schema1];
const listed: readonly StoredBlob[] = all.map((blob) => ({ ...blob, storedAt: 0 }));

/** The graph by digests. */
async function graphOf(source: BlobSource, stored: readonly StoredBlob[], options?: StoredGraphOptions) {
  const inventory = await inventoryOf(stored);
  const graph = await storedGraph(source, inventory, options);
  const name = (index: number) => inventory.digestAt(index);
  return new Map([...graph].map(([index, children]) => [name(index), children.map(name)]));
}

test('manifests of every kind are found by their content, with what is stored of what they refer to', async (t) => {
  t.same(
    await graphOf(blobs, listed),
    new Map([
      [manifest.digest, [config.digest, layer.digest]],
      [index.digest, [manifest.digest]],
      [schema1.digest, [layer.digest]],
    ]),
  );
});

test('what a manifest lists as its blobs is not read, when the manifest was stored first', async (t) => {
  const opened = new Set<string>();
  const source: BlobSource = {
    ...blobs,
    open: (digest, options) => {
      opened.add(digest);
      return blobs.open(digest, options);
    },
  };
  const inOrder = [manifest, config, layer].map((blob, storedAt) => ({ ...blob, storedAt }));
  await graphOf(source, inOrder, { concurrency: 1 });
  t.same(opened, new Set([manifest.digest]));
});

test('content too large for a manifest is not read, and other content only to its first chunk', async (t) => {
  const opened = new Set<string>();
  let chunks = 0;
  let released = 0;
  const source: BlobSource = {
    ...blobs,
    async open(digest) {
      opened.add(digest);
      async function* body() {
        try {
          for (;;) {
            chunks += 1;
            yield Buffer.from('\u001f\u008b not JSON');
          }
        } finally {
          released += 1;
        }
      }
      return { descriptor: layer, body: body(), close: async () => {} };
    },
  };
  const large = { ...absent, size: 5 * 1024 * 1024, storedAt: 0 };
  t.same(await graphOf(source, [large, { ...layer, storedAt: 0 }]), new Map());
  t.same(opened, new Set([layer.digest]));
  t.same([chunks, released], [1, 1]);
});

test('chunks are borrowed: a body that reuses its buffer is read right', async (t) => {
  const bytes = Buffer.from(json({ schemaVersion: 2, layers: [layer] }));
  const lent = Buffer.alloc(7);
  const source: BlobSource = {
    ...blobs,
    async open() {
      async function* body() {
        for (let start = 0; start < bytes.length; start += lent.length) {
          yield lent.subarray(0, bytes.copy(lent, 0, start));
        }
      }
      return { descriptor: layer, body: body(), close: async () => {} };
    },
  };
  const graph = await graphOf(source, [{ ...layer, storedAt: 0 }]);
  t.same([...graph.values()], [[layer.digest]]);
});

test('some damaged content is passed over; a medium that is ill is an error', async (t) => {
  const source: BlobSource = { ...blobs, open: () => Promise.reject(new Error('unreadable')) };
  const some = Array.from({ length: 100 }, (_, nth) => ({
    digest: digestOf(Buffer.from(`${nth}`)),
    size: 1,
    storedAt: 0,
  }));
  t.same(await graphOf(source, some), new Map());
  await t.rejects(graphOf(source, [...some, ...listed]), { message: 'unreadable' });
});
