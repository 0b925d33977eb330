import type { Digest } from '../../oci/digest.ts';

/** One copy on the disk. */
export interface KeptCopy {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Its latest use, milliseconds since the epoch. */
  readonly usedAt: number;
}

interface Entry {
  readonly size: number;
  usedAt: number;
  /** The use that its file tells, so that it survives the process. */
  stampedAt: number;
}

/** A use is told to the file once the one that it tells is this old, milliseconds. */
const stampEveryMs = 600_000;

/** What a disk may hold. */
interface DiskRoom {
  /** Of all copies, bytes. */
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Of copies that are under way, and count besides. */
  readonly pendingBytes: number;
}

/** What a disk holds, least recently used first, and how much that is. No I/O. */
export class UseOrder {
  #entries = new Map<Digest, Entry>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get length(): number {
    return this.#entries.size;
  }

  /** Of the copy, in bytes; undefined for none. */
  size(digest: Digest): number | undefined {
    return this.#entries.get(digest)?.size;
  }

  /** The copy that was not used for the longest time. */
  oldest(): Digest | undefined {
    return this.#entries.keys().next().value;
  }

  /** The copy that gives way next; undefined once there is room for all. */
  surplus({ maxBytes, maxFiles, pendingBytes }: DiskRoom): Digest | undefined {
    const isFull = this.#bytes + pendingBytes > maxBytes || this.length > maxFiles;
    return isFull ? this.oldest() : undefined;
  }

  /** Adds a copy that was just used. */
  add(digest: Digest, size: number, now: number): void {
    this.remove(digest);
    this.#entries.set(digest, { size, usedAt: now, stampedAt: now });
    this.#bytes += size;
  }

  /** True when the use is to be told to the file. */
  use(digest: Digest, now: number): boolean {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return false;
    this.#entries.delete(digest);
    this.#entries.set(digest, entry);
    entry.usedAt = now;
    if (now - entry.stampedAt < stampEveryMs) return false;
    entry.stampedAt = now;
    return true;
  }

  remove(digest: Digest): void {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return;
    this.#entries.delete(digest);
    this.#bytes -= entry.size;
  }

  /**
   * Takes over what a walk found that began at `walkedAt`: copies of other processes come in, those
   * that are gone go, and those that were used meanwhile stay.
   */
  reconcile(found: ReadonlyMap<Digest, KeptCopy>, walkedAt: number): void {
    for (const [digest, { usedAt }] of this.#entries)
      if (!found.has(digest) && usedAt < walkedAt) this.remove(digest);
    const others = [...found.values()].filter(({ digest }) => !this.#entries.has(digest));
    if (others.length > 0) this.#merge(others);
  }

  #merge(others: readonly KeptCopy[]): void {
    const all = [...this.#entries];
    for (const { digest, size, usedAt } of others) {
      all.push([digest, { size, usedAt, stampedAt: usedAt }]);
      this.#bytes += size;
    }
    this.#entries = new Map(all.sort(([, a], [, b]) => a.usedAt - b.usedAt));
  }
}
