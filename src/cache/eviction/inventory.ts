import type { StoredBlob } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';

/** A store's content as columns: piece `i` is `digests[i]`; a million pieces take 200 MB. */
export interface Inventory {
  readonly digests: readonly Digest[];
  /** Bytes. */
  readonly sizes: readonly number[];
  /** Milliseconds since the epoch. */
  readonly storedAt: readonly number[];
  /** Where the digest stands in the columns; undefined when the store does not hold it. */
  indexOf(digest: Digest): number | undefined;
}

/** Manifests by index, each with the indexes of its stored references, each once. */
export type References = ReadonlyMap<number, readonly number[]>;

/** The columns of a listing. Content listed twice, as may happen while it changes, counts once. */
export async function inventoryOf(
  listing: Iterable<StoredBlob> | AsyncIterable<StoredBlob>,
): Promise<Inventory> {
  const indexes = new Map<Digest, number>();
  const digests: Digest[] = [];
  const sizes: number[] = [];
  const storedAt: number[] = [];
  for await (const blob of listing) {
    if (indexes.has(blob.digest)) continue;
    indexes.set(blob.digest, digests.length);
    digests.push(blob.digest);
    sizes.push(blob.size);
    storedAt.push(blob.storedAt);
  }
  return { digests, sizes, storedAt, indexOf: (digest) => indexes.get(digest) };
}

/** How much a listing holds, counted without keeping any of it. */
export async function measured(listed: AsyncIterable<StoredBlob>): Promise<{ blobs: number; bytes: number }> {
  let blobs = 0;
  let bytes = 0;
  for await (const { size } of listed) {
    blobs += 1;
    bytes += size;
  }
  return { blobs, bytes };
}
