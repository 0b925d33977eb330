import { concurrently } from '../../base/flow/each.ts';
import type { BlobSource, Content, Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { manifestOrNone, maxManifestBytes } from '../../oci/manifest.ts';
import type { Inventory, References } from './inventory.ts';

export interface StoredGraphOptions {
  /** Reads at a time. Default 16. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Corrupt content that is tolerated; more means a failing medium, and ends the run undecided. */
const maxUnreadable = 100;

/**
 * The stored references of each stored manifest, found by reading the content, so that it is right
 * for a store of which only the blobs survived. Content too big for a manifest is never read, and
 * of other content only the first chunk. A manifest is stored before its children: read in that
 * order, it identifies most blobs behind it unread, at about one read per manifest.
 */
export async function storedGraph(
  source: BlobSource,
  inventory: Inventory,
  { concurrency = 16, signal }: StoredGraphOptions = {},
): Promise<References> {
  const graph = new Map<number, readonly number[]>();
  const isLeaf = new Uint8Array(inventory.length);
  let unreadable = 0;

  async function look(index: number): Promise<void> {
    const digest = inventory.digestAt(index);
    if (digest === undefined || isLeaf[index] === 1) return;
    try {
      const manifest = await readManifest(source, digest, signal);
      if (manifest === undefined) return;
      const blobs = indexesOf(inventory, manifest.blobs);
      for (const blob of blobs) isLeaf[blob] = 1;
      graph.set(index, [...new Set([...indexesOf(inventory, manifest.children), ...blobs])]);
    } catch (error) {
      unreadable += 1;
      if (unreadable > maxUnreadable || signal?.aborted === true) throw error;
    }
  }

  await concurrently(candidates(inventory), concurrency, look, { signal });
  return graph;
}

/** What is small enough for a manifest, in the order in which it was stored. */
function candidates({ sizes, storedAt }: Inventory): Uint32Array {
  const indexes = Uint32Array.from(sizes.keys()).filter((index) => {
    const size = sizes[index] ?? 0;
    return size > 0 && size <= maxManifestBytes;
  });
  return indexes.sort((a, b) => (storedAt[a] ?? 0) - (storedAt[b] ?? 0));
}

function indexesOf(inventory: Inventory, descriptors: readonly Descriptor[]): number[] {
  return descriptors.flatMap(({ digest }) => inventory.indexOf(digest) ?? []);
}

async function readManifest(source: BlobSource, digest: Digest, signal: AbortSignal | undefined) {
  const content = await source.open(digest, { isUpkeep: true, ...(signal === undefined ? {} : { signal }) });
  const bytes = content && (await jsonBytes(content));
  return bytes && manifestOrNone(bytes, undefined);
}

/** The whole body if it may be a JSON object; leaves the body at a first byte that rules it out. */
async function jsonBytes({ body }: Content): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    if (chunks.length === 0 && !mayBeginObject(chunk[0])) return undefined;
    chunks.push(new Uint8Array(chunk));
  }
  return Buffer.concat(chunks);
}

function mayBeginObject(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
