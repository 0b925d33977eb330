/** A chunk on its way to a thread is of this size, bytes: fewer messages, little held. */
export const chunkBytes = 256 * 1024;

/** Buffers that travel to the threads and back, so that none is allocated for a chunk. */
export class ChunkPool {
  readonly #free: ArrayBuffer[] = [];
  readonly #waiting: ((buffer: ArrayBuffer) => void)[] = [];
  readonly #most: number;
  #made = 0;

  /** At most so many buffers, free ones and those under way. */
  constructor(most: number) {
    this.#most = most;
  }

  /** A buffer, or undefined where all are under way. */
  take(): ArrayBuffer | undefined {
    const free = this.#free.pop();
    if (free !== undefined || this.#made >= this.#most) return free;
    this.#made += 1;
    return new ArrayBuffer(chunkBytes);
  }

  /** The next buffer that comes back, first come, first served. */
  next(): Promise<ArrayBuffer> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  giveBack(buffer: ArrayBuffer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#free.push(buffer);
    else waiting(buffer);
  }
}
