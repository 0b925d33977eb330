import { getRandomValues } from 'node:crypto';

/** Length of a digest in the table, bytes. */
export const keyBytes = 32;

/** No row, no reference, or the end of a chain. */
const none = -1;

/**
 * Which tags name which digest, in a few typed arrays: some 70 bytes for a digest that one tag
 * names. A row is a digest in a place; a reference is one tag that names a row. Both, places and
 * tags are numbers; the caller knows what they stand for.
 *
 *     buckets → rows of that bucket → references of that row
 */
export class ReferenceTable {
  /** Secret, so that digests cannot be invented that all fall into one bucket. */
  readonly #seeds = getRandomValues(new Uint32Array(keyBytes / 4 + 1));
  #buckets = new Int32Array(1024).fill(none);
  #keys = new Uint8Array(0);
  #places = new Uint32Array(0);
  #nextRows = new Int32Array(0);
  #firsts = new Int32Array(0);
  #counts = new Uint32Array(0);
  #freeRow = none;
  #rows = 0;
  #tags = new Uint32Array(0);
  #untils = new Float64Array(0);
  #rowsOf = new Int32Array(0);
  #nexts = new Int32Array(0);
  #previous = new Int32Array(0);
  #freeReference = none;
  #references = 0;

  /** Rows, each a digest in a place. */
  get rows(): number {
    return this.#rows;
  }

  get references(): number {
    return this.#references;
  }

  /** The row of a digest; undefined when no tag names it. */
  find(place: number, key: Uint8Array): number | undefined {
    let row = this.#buckets[this.#bucketOf(place, key)] ?? none;
    while (row !== none && !this.#isRow(row, place, key)) row = this.#nextRows[row] ?? none;
    return row === none ? undefined : row;
  }

  /** Adds a reference. `until`: when it ended, ms since the epoch; 0 while it stands. */
  add(place: number, key: Uint8Array, tag: number, until: number): number {
    const row = this.find(place, key) ?? this.#newRow(place, key);
    const reference = this.#newReference();
    const first = this.#firsts[row] ?? none;
    this.#tags[reference] = tag;
    this.#untils[reference] = until;
    this.#rowsOf[reference] = row;
    this.#previous[reference] = none;
    this.#nexts[reference] = first;
    if (first !== none) this.#previous[first] = reference;
    this.#firsts[row] = reference;
    this.#counts[row] = this.countOf(row) + 1;
    return reference;
  }

  remove(reference: number): void {
    const row = this.rowOf(reference);
    const previous = this.#previous[reference] ?? none;
    const next = this.#nexts[reference] ?? none;
    if (previous === none) this.#firsts[row] = next;
    else this.#nexts[previous] = next;
    if (next !== none) this.#previous[next] = previous;
    this.#nexts[reference] = this.#freeReference;
    this.#freeReference = reference;
    this.#references -= 1;
    this.#counts[row] = this.countOf(row) - 1;
    if (this.#firsts[row] === none) this.#removeRow(row);
  }

  /** The references of a row, each given to `found`. Change nothing meanwhile. */
  each(row: number, found: (reference: number) => void): void {
    let reference = this.#firsts[row] ?? none;
    while (reference !== none) {
      found(reference);
      reference = this.#nexts[reference] ?? none;
    }
  }

  /** How many references a row has, or how many of them are such. */
  countOf(row: number, isSuch?: (reference: number) => boolean): number {
    if (isSuch === undefined) return this.#counts[row] ?? 0;
    let count = 0;
    this.each(row, (reference) => {
      if (isSuch(reference)) count += 1;
    });
    return count;
  }

  /** So many of those that have ended, the first ones to end. */
  oldest(references: Iterable<number>, count: number): readonly number[] {
    const former = [...references].filter((reference) => this.untilOf(reference) !== 0);
    return former.sort((one, other) => this.untilOf(one) - this.untilOf(other)).slice(0, count);
  }

  /** Another text when references of the row come, end, or go. */
  markOf(row: number): string {
    let [references, untils] = [0, 0];
    this.each(row, (reference) => {
      references += reference;
      untils += this.untilOf(reference);
    });
    return `${this.countOf(row)} ${references} ${untils}`;
  }

  rowOf(reference: number): number {
    return this.#rowsOf[reference] ?? none;
  }

  tagOf(reference: number): number {
    return this.#tags[reference] ?? 0;
  }

  untilOf(reference: number): number {
    return this.#untils[reference] ?? 0;
  }

  end(reference: number, until: number): void {
    this.#untils[reference] = until;
  }

  placeOf(row: number): number {
    return this.#places[row] ?? 0;
  }

  /** A view, valid until the table changes. */
  keyOf(row: number): Uint8Array {
    return this.#keys.subarray(row * keyBytes, (row + 1) * keyBytes);
  }

  #isRow(row: number, place: number, key: Uint8Array): boolean {
    if (this.#places[row] !== place) return false;
    const from = row * keyBytes;
    for (let at = 0; at < keyBytes; at += 1) if (this.#keys[from + at] !== key[at]) return false;
    return true;
  }

  /** The number of buckets is a power of two. */
  #bucketOf(place: number, key: Uint8Array): number {
    const words = new DataView(key.buffer, key.byteOffset, keyBytes);
    const seeds = this.#seeds;
    let sum = Math.imul(place + 1, (seeds[keyBytes / 4] ?? 0) | 1);
    for (let at = 0; at < keyBytes / 4; at += 1)
      sum = (sum + Math.imul(words.getUint32(at * 4), (seeds[at] ?? 0) | 1)) | 0;
    return (sum >>> 7) & (this.#buckets.length - 1);
  }

  #newRow(place: number, key: Uint8Array): number {
    if (this.#freeRow === none) this.#growRows();
    const row = this.#freeRow;
    this.#freeRow = this.#nextRows[row] ?? none;
    this.#rows += 1;
    this.#keys.set(key.subarray(0, keyBytes), row * keyBytes);
    this.#places[row] = place;
    this.#firsts[row] = none;
    this.#chain(row);
    return row;
  }

  #removeRow(row: number): void {
    const bucket = this.#bucketOf(this.placeOf(row), this.keyOf(row));
    const next = this.#nextRows[row] ?? none;
    let at = this.#buckets[bucket] ?? none;
    if (at === row) this.#buckets[bucket] = next;
    else {
      while (this.#nextRows[at] !== row) at = this.#nextRows[at] ?? none;
      this.#nextRows[at] = next;
    }
    this.#nextRows[row] = this.#freeRow;
    this.#freeRow = row;
    this.#rows -= 1;
  }

  #chain(row: number): void {
    const bucket = this.#bucketOf(this.placeOf(row), this.keyOf(row));
    this.#nextRows[row] = this.#buckets[bucket] ?? none;
    this.#buckets[bucket] = row;
  }

  #newReference(): number {
    if (this.#freeReference === none) this.#growReferences();
    const reference = this.#freeReference;
    this.#freeReference = this.#nexts[reference] ?? none;
    this.#references += 1;
    return reference;
  }

  /** All rows are in use when it is called. */
  #growRows(): void {
    const before = this.#places.length;
    const after = grown(before);
    this.#keys = copied(new Uint8Array(after * keyBytes), this.#keys);
    this.#places = copied(new Uint32Array(after), this.#places);
    this.#firsts = copied(new Int32Array(after), this.#firsts);
    this.#counts = copied(new Uint32Array(after), this.#counts);
    this.#nextRows = copied(new Int32Array(after), this.#nextRows);
    this.#freeRow = freed(this.#nextRows, before);
    let buckets = this.#buckets.length;
    while (buckets < after) buckets *= 2;
    this.#buckets = new Int32Array(buckets).fill(none);
    for (let row = 0; row < before; row += 1) this.#chain(row);
  }

  #growReferences(): void {
    const before = this.#tags.length;
    const after = grown(before);
    this.#tags = copied(new Uint32Array(after), this.#tags);
    this.#untils = copied(new Float64Array(after), this.#untils);
    this.#rowsOf = copied(new Int32Array(after), this.#rowsOf);
    this.#previous = copied(new Int32Array(after), this.#previous);
    this.#nexts = copied(new Int32Array(after), this.#nexts);
    this.#freeReference = freed(this.#nexts, before);
  }
}

function grown(length: number): number {
  return Math.max(1024, Math.ceil(length * 1.5));
}

function copied<List extends { set(from: List): void }>(to: List, from: List): List {
  to.set(from);
  return to;
}

/** Chains the entries from `from` on as free ones; returns the first. */
function freed(nexts: Int32Array, from: number): number {
  for (let at = from; at < nexts.length; at += 1) nexts[at] = at + 1 < nexts.length ? at + 1 : none;
  return from;
}
