import { createEvictor, type EvictorOptions } from '../../../src/cache/eviction/evictor.ts';
import { createUsage } from '../../../src/cache/eviction/usage.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { tagKey } from '../../../src/store/keys.ts';
import type { Store } from '../../../src/store/store.ts';

export const hourMs = 3_600_000;
export const layerBytes = 10_000;

async function kept(store: Store, bytes: Uint8Array): Promise<{ digest: Digest; size: number }> {
  const descriptor = { digest: digestOf(bytes), size: bytes.byteLength };
  await store.blobs.put(descriptor, bytesOf(bytes));
  return descriptor;
}

/**
 * An image of one layer in the store: `manifest`, `config` and `layer`, all of them its `digests`.
 */
export async function image(store: Store, name: string) {
  const layer = await kept(store, Buffer.alloc(layerBytes, `layer of ${name}`));
  const config = await kept(store, Buffer.from(JSON.stringify({ architecture: 'amd64', name })));
  const manifest = await kept(
    store,
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] }),
    ),
  );
  const digests = [manifest.digest, config.digest, layer.digest];
  return { manifest: manifest.digest, layer: layer.digest, digests };
}

export async function tagged(store: Store, tag: string, digest: Digest): Promise<void> {
  const key = tagKey('quay.io', parseRepository('openshift/ci'), parseTag(tag));
  await store.records.put(key, Buffer.from(JSON.stringify({ digest })));
}

/** One replica over a store, hours after everything in it was stored. */
export function replica(store: Store, changes: Partial<EvictorOptions> = {}) {
  const state = { now: Date.now() + 24 * hourMs };
  const clock = () => state.now;
  const instance = 'one';
  const uses = createUsage({ records: store.records, instance, clock });
  const options = { store, usage: uses, instance, maxBytes: 2.7 * layerBytes, clock, ...changes };
  const evict = createEvictor(options);
  return {
    uses,
    evict,
    pass: (ms: number) => (state.now += ms),
    async close() {
      await evict.close();
      await uses.close();
    },
  };
}

export async function missing(store: Store, digests: readonly Digest[]): Promise<number> {
  const found = await Promise.all(digests.map((digest) => store.blobs.stat(digest)));
  return found.filter((each) => each === undefined).length;
}
