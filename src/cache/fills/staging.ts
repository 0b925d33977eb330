/**
 * The last bytes of a growing file, in memory: one half collects while the other is written and
 * stays readable, so that a reader close to the end never waits for a disk.
 */
interface Staging {
  /** Bytes of the whole file that were taken so far. */
  readonly length: number;
  /** Takes the start of the chunk, as much as there is room for; returns how many bytes. */
  take(chunk: Uint8Array): number;
  /** The next bytes to write; those given out before must be written by now. Undefined for none. */
  turn(): Uint8Array | undefined;
  /** Copies bytes of the file from `position` on; returns their number, 0 if not in memory. */
  copy(position: number, target: Uint8Array): number;
}

/** Of each half: large enough that the thread pool's round trip does not show. */
const halfBytes = 512 * 1024;

/** Nothing was taken yet. */
export function createStaging(): Staging {
  let collecting = half(0);
  let leaving = half(0);

  const staging = {
    length: 0,
    take(chunk: Uint8Array) {
      const taken = chunk.subarray(0, halfBytes - collecting.length);
      collecting.bytes.set(taken, collecting.length);
      collecting.length += taken.byteLength;
      staging.length += taken.byteLength;
      return taken.byteLength;
    },
    turn() {
      if (collecting.length === 0) return undefined;
      const { start, length } = collecting;
      [collecting, leaving] = [leaving, collecting];
      collecting.start = start + length;
      collecting.length = 0;
      return leaving.bytes.subarray(0, length);
    },
    copy(position: number, target: Uint8Array) {
      const { bytes, start, length } = position < collecting.start ? leaving : collecting;
      if (position < start) return 0;
      const held = bytes.subarray(position - start, Math.min(length, position - start + target.byteLength));
      target.set(held);
      return held.byteLength;
    },
  };
  return staging;
}

interface Half {
  readonly bytes: Uint8Array;
  /** Where in the file it begins. */
  start: number;
  length: number;
}

function half(start: number): Half {
  return { bytes: Buffer.allocUnsafe(halfBytes), start, length: 0 };
}
