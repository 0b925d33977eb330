interface BufferPoolOptions {
  /** Most bytes of all readers, kept for later ones. Default 16 MiB: 32 readers. */
  readonly maxBytes?: number;
  /** Size of one buffer in bytes. Default 256 KiB. */
  readonly bufferBytes?: number;
}

/** A bounded supply of large buffers that many readers share. */
export interface BufferPool {
  /** Size of one buffer in bytes. */
  readonly bufferBytes: number;
  readonly usedBytes: number;
  /** Two buffers with arbitrary content, or undefined above the limit. Return each pair once. */
  takePair(): BufferPair | undefined;
  /** Nothing may read or write the pair any more. */
  giveBack(pair: BufferPair): void;
}

export type BufferPair = readonly [Uint8Array, Uint8Array];

/** Buffers are reused: a fresh megabyte for each read costs more page faults than the read. */
export function createBufferPool(options: BufferPoolOptions = {}): BufferPool {
  const { maxBytes = 16 * 1024 * 1024, bufferBytes = 256 * 1024 } = options;
  const pairBytes = 2 * bufferBytes;
  const spare: BufferPair[] = [];
  let usedBytes = 0;

  return {
    bufferBytes,
    get usedBytes() {
      return usedBytes;
    },
    takePair() {
      if (usedBytes + pairBytes > maxBytes) return undefined;
      usedBytes += pairBytes;
      return spare.pop() ?? [Buffer.allocUnsafeSlow(bufferBytes), Buffer.allocUnsafeSlow(bufferBytes)];
    },
    giveBack(pair) {
      usedBytes -= pairBytes;
      spare.push(pair);
    },
  };
}
