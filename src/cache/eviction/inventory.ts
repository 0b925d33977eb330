import type { StoredBlob } from '../../oci/content.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';

/** A store's content as columns, of which piece `i` is the `i`-th: a million pieces take 70 MB. */
export interface Inventory {
  readonly length: number;
  /** The digest of a piece; undefined behind the last one. */
  digestAt(index: number): Digest | undefined;
  /** Bytes. */
  readonly sizes: Float64Array;
  /** Milliseconds since the epoch. */
  readonly storedAt: Float64Array;
  /** Where the digest stands in the columns; undefined when the store does not hold it. */
  indexOf(digest: Digest): number | undefined;
}

/** Manifests by index, each with the indexes of its stored references, each once. */
export type References = ReadonlyMap<number, readonly number[]>;

/** The columns of a listing. Content listed twice, as may happen while it changes, counts once. */
export async function inventoryOf(
  listing: Iterable<StoredBlob> | AsyncIterable<StoredBlob>,
): Promise<Inventory> {
  const columns = new Columns();
  for await (const blob of listing) columns.add(blob);
  return columns;
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

const prefix = 'sha256:';
const digestBytes = 32;
const firstRoom = 1024;

/**
 * The hashes of sha256 digests side by side, found by a table of places that is at most half full:
 * a hash is its own random number. Digests of other algorithms, which are rare, stay as texts.
 */
class Columns implements Inventory {
  #hashes = Buffer.alloc(firstRoom * digestBytes);
  #sizes: Float64Array<ArrayBuffer> = new Float64Array(firstRoom);
  #storedAt: Float64Array<ArrayBuffer> = new Float64Array(firstRoom);
  /** One more than the index of a piece; 0 for none. */
  #places = new Uint32Array(2 * firstRoom);
  readonly #others = new Map<Digest, number>();
  readonly #otherAt = new Map<number, Digest>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get sizes(): Float64Array {
    return this.#sizes.subarray(0, this.#length);
  }

  get storedAt(): Float64Array {
    return this.#storedAt.subarray(0, this.#length);
  }

  add({ digest, size, storedAt }: StoredBlob): void {
    if (this.indexOf(digest) !== undefined) return;
    if (this.#length === this.#sizes.length) this.#grow();
    const index = this.#length;
    this.#length += 1;
    this.#sizes[index] = size;
    this.#storedAt[index] = storedAt;
    if (digest.startsWith(prefix)) {
      const hash = Buffer.from(digest.slice(prefix.length), 'hex');
      hash.copy(this.#hashes, index * digestBytes);
      this.#places[this.#placeOf(hash)] = index + 1;
    } else {
      this.#others.set(digest, index);
      this.#otherAt.set(index, digest);
    }
  }

  digestAt(index: number): Digest | undefined {
    if (index >= this.#length) return undefined;
    const other = this.#otherAt.get(index);
    if (other !== undefined) return other;
    const start = index * digestBytes;
    const digest = `${prefix}${this.#hashes.toString('hex', start, start + digestBytes)}`;
    return isDigest(digest) ? digest : undefined;
  }

  indexOf(digest: Digest): number | undefined {
    if (!digest.startsWith(prefix)) return this.#others.get(digest);
    const place = this.#places[this.#placeOf(Buffer.from(digest.slice(prefix.length), 'hex'))] ?? 0;
    return place === 0 ? undefined : place - 1;
  }

  /** Where the hash stands in the table, or the free place for it. */
  #placeOf(hash: Buffer): number {
    const mask = this.#places.length - 1;
    for (let place = hash.readUInt32LE(0) & mask; ; place = (place + 1) & mask) {
      const held = this.#places[place] ?? 0;
      const start = (held - 1) * digestBytes;
      if (held === 0 || hash.compare(this.#hashes, start, start + digestBytes) === 0) return place;
    }
  }

  #grow(): void {
    const room = 2 * this.#sizes.length;
    this.#hashes = Buffer.concat([this.#hashes], room * digestBytes);
    this.#sizes = widened(this.#sizes, room);
    this.#storedAt = widened(this.#storedAt, room);
    this.#places = new Uint32Array(2 * room);
    for (let index = 0; index < this.#length; index += 1) {
      if (this.#otherAt.has(index)) continue;
      const start = index * digestBytes;
      this.#places[this.#placeOf(this.#hashes.subarray(start, start + digestBytes))] = index + 1;
    }
  }
}

function widened(numbers: Float64Array, room: number): Float64Array<ArrayBuffer> {
  const wider = new Float64Array(room);
  wider.set(numbers);
  return wider;
}
