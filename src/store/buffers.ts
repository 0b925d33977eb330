interface BufferPoolOptions {
  /** Most bytes of readers with two buffers, kept for later ones. Default 16 MiB: 32 readers. */
  readonly maxBytes?: number;
  /** Most bytes of readers with one buffer, likewise. Default: as many again, 64 readers. */
  readonly maxSingleBytes?: number;
  /** Size of one buffer in bytes. Default 256 KiB: with twice that, they leave the L2 cache. */
  readonly bufferBytes?: number;
}

/** A bounded supply of large buffers that many readers share. */
export interface BufferPool {
  /** Size of one buffer in bytes. */
  readonly bufferBytes: number;
  readonly usedBytes: number;
  /** Two buffers with arbitrary content, or undefined above the limit. Return each pair once. */
  takePair(): BufferPair | undefined;
  /** One buffer, for a reader that got no pair, or undefined above the limit. Return it once. */
  takeOne(): OneBuffer | undefined;
  /** Nothing may read or write the buffers any more. */
  giveBack(buffers: BufferPair | OneBuffer): void;
}

export type BufferPair = readonly [Uint8Array, Uint8Array];
export type OneBuffer = readonly [Uint8Array];

/** Buffers are reused: a fresh megabyte for each read costs more page faults than the read. */
export function createBufferPool(options: BufferPoolOptions = {}): BufferPool {
  const { maxBytes = 16 * 1024 * 1024, bufferBytes = 256 * 1024, maxSingleBytes = maxBytes } = options;
  const spare: Uint8Array[] = [];
  /** Bytes in use, of pairs and of single buffers. */
  const used = { 1: 0, 2: 0 };
  const most = { 1: maxSingleBytes, 2: maxBytes };

  function hasRoom(count: 1 | 2): boolean {
    return used[count] + count * bufferBytes <= most[count];
  }

  function take(): Uint8Array {
    return spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }

  return {
    bufferBytes,
    get usedBytes() {
      return used[1] + used[2];
    },
    takePair() {
      if (!hasRoom(2)) return undefined;
      used[2] += 2 * bufferBytes;
      return [take(), take()];
    },
    takeOne() {
      if (!hasRoom(1)) return undefined;
      used[1] += bufferBytes;
      return [take()];
    },
    giveBack(buffers) {
      used[buffers.length] -= buffers.length * bufferBytes;
      spare.push(...buffers);
    },
  };
}
