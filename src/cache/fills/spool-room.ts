import type { RoomRefusal } from '../events.ts';

export interface SpoolRoomOptions {
  /** How many bytes all files together may hold. */
  readonly maxBytes: number;
  readonly changed: (bytes: number) => void;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

export interface RoomOptions {
  /**
   * Whether the file is one that could be had elsewhere: it takes room only while half of it is
   * free, and gives way before any other, complete or not. Default: false.
   */
  readonly isSpare?: boolean;
}

/** The room that one file has. */
export interface RoomShare {
  /** Reserves room for a file of this size; returns why there is none, and drops the file. */
  grow(length: number): RoomRefusal | undefined;
  /** All of it is there: it gives way to no other. */
  complete(): void;
  release(): void;
}

/** Room is taken ahead of the bytes by so much. */
const stepBytes = 1024 * 1024;
/** A download below this speed gives way when room is scarce, in bytes a second. */
const leastBytesPerSecond = 64 * 1024;
/** Over which the speed is measured, in milliseconds. */
const measuredMs = 5_000;

interface Share {
  /** As stated; without, as much as there may be. */
  readonly size: number;
  readonly giveWay: (why: RoomRefusal) => void;
  readonly isSpare: boolean;
  length: number;
  reserved: number;
  isComplete: boolean;
  mark: { readonly at: number; readonly length: number };
  /** Up to the mark, in bytes a second. */
  speed: number;
}

/**
 * Room in the spool, taken as bytes come: what a blob states about its size takes none. One blob
 * has at most half of it. When it is scarce, spare files give way first, then downloads that are
 * too slow, and then the one that has most to come: so the others end.
 */
export class SpoolRoom {
  readonly #options: SpoolRoomOptions;
  readonly #mostBytes: number;
  readonly #shares = new Set<Share>();
  #taken = 0;

  constructor(options: SpoolRoomOptions) {
    this.#options = options;
    this.#mostBytes = Math.floor(options.maxBytes / 2);
  }

  /** A share for a blob of that size, if known. Calls `giveWay` at most once, without room. */
  enter(
    size: number | undefined,
    giveWay: (why: RoomRefusal) => void,
    { isSpare = false }: RoomOptions = {},
  ): RoomShare | RoomRefusal {
    if (size !== undefined && size > this.#mostBytes) return 'too-large';
    if (isSpare && this.#taken + (size ?? 0) > this.#mostBytes) return 'spool-full';
    const mark = { at: this.#now(), length: 0 };
    const share: Share = {
      size: size ?? this.#mostBytes,
      giveWay,
      isSpare,
      length: 0,
      reserved: 0,
      isComplete: false,
      mark,
      speed: Number.POSITIVE_INFINITY,
    };
    const step = Math.min(share.size, stepBytes);
    while (this.#taken + step > this.#options.maxBytes) {
      const first = this.#first();
      if (first === undefined) return 'spool-full';
      this.#end(...first);
    }
    this.#shares.add(share);
    this.#reserve(share, step);
    return {
      grow: (length) => this.#grow(share, length),
      complete: () => {
        share.isComplete = true;
      },
      release: () => this.#release(share),
    };
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }

  #grow(share: Share, length: number): RoomRefusal | undefined {
    share.length = length;
    if (!this.#shares.has(share)) return 'spool-full';
    this.#measure(share);
    if (length <= share.reserved) return undefined;
    if (length > this.#mostBytes) return this.#end(share, 'too-large');
    const step = Math.min(length + stepBytes, Math.max(length, share.size)) - share.reserved;
    while (this.#taken + step > this.#options.maxBytes) {
      const [victim, why] = this.#first() ?? [this.#longest() ?? share, 'spool-full'];
      this.#end(victim, why);
      if (victim === share) return why;
    }
    this.#reserve(share, step);
    return undefined;
  }

  /** Who gives way before those that make progress, and why. */
  #first(): [victim: Share, why: RoomRefusal] | undefined {
    const spare = this.#shares.values().find(({ isSpare }) => isSpare);
    if (spare !== undefined) return [spare, 'spool-full'];
    const slow = this.#slowest();
    return slow && [slow, 'too-slow'];
  }

  #growing(): Share[] {
    return [...this.#shares].filter(({ isComplete }) => !isComplete);
  }

  #measure(share: Share): void {
    const now = this.#now();
    const { mark, length } = share;
    if (now - mark.at < measuredMs) return;
    share.speed = ((length - mark.length) * 1000) / (now - mark.at);
    share.mark = { at: now, length };
  }

  #slowest(): Share | undefined {
    const growing = this.#growing();
    for (const share of growing) this.#measure(share);
    return growing
      .filter(({ speed }) => speed < leastBytesPerSecond)
      .toSorted((left, right) => left.speed - right.speed)[0];
  }

  #longest(): Share | undefined {
    const toCome = ({ size, length }: Share): number => size - length;
    return this.#growing().toSorted((left, right) => toCome(right) - toCome(left))[0];
  }

  #end(share: Share, why: RoomRefusal): RoomRefusal {
    this.#release(share);
    share.giveWay(why);
    return why;
  }

  #release(share: Share): void {
    if (this.#shares.delete(share)) this.#reserve(share, -share.reserved);
  }

  #reserve(share: Share, bytes: number): void {
    share.reserved += bytes;
    this.#taken += bytes;
    this.#options.changed(this.#taken);
  }
}
