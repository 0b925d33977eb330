/**
 * A reader that takes a chunk slower than this is slow, bytes a millisecond. A loaded process makes
 * any reader look slow, so it is low.
 */
const slowPace = 256;
/**
 * A slow reader must take this much without a slow chunk to be fast again: for a while the socket's
 * own buffers take what it does not.
 */
const provenBytes = 16 * 1024 * 1024;

/** How fast a reader takes what it is given. A new one is fast. */
export class Pace {
  /** Bytes taken since the last slow chunk. */
  #takenBytes = provenBytes;

  /** Worth large buffers. */
  get isFast(): boolean {
    return this.#takenBytes >= provenBytes;
  }

  /** Worth a read ahead: the last chunk was not slow. */
  get isOn(): boolean {
    return this.#takenBytes > 0;
  }

  /** Learns from how long the reader kept a chunk; `givenAtMs` by `performance.now`. */
  learn(bytes: number, givenAtMs: number): void {
    const isSlow = bytes / (performance.now() - givenAtMs) < slowPace;
    this.#takenBytes = isSlow ? 0 : this.#takenBytes + bytes;
  }
}
