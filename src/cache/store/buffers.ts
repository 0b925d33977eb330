export interface BufferPoolOptions {
  /** Most bytes in use at a time, all readers together. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Size of one buffer in bytes. Default 512 KiB: a pair fits a core's own cache, and a megabyte each is a third slower. */
  readonly bufferBytes?: number;
  /** Most bytes kept for the next reader while nobody uses them. Default 8 MiB. */
  readonly spareBytes?: number;
}

/** A bounded supply of large buffers that many readers share. */
export interface BufferPool {
  /** Size of one buffer in bytes. */
  readonly bufferBytes: number;
  /** Bytes in use now. */
  readonly usedBytes: number;
  /** Two buffers with arbitrary content, or undefined when that would pass the limit. Give each pair back once. */
  takePair(): BufferPair | undefined;
  /** Nothing may read or write the pair any more. */
  giveBack(pair: BufferPair): void;
}

export type BufferPair = readonly [Uint8Array, Uint8Array];

/** Buffers are reused: a fresh megabyte for each read costs more in page faults than the read itself. */
export function bufferPool(options: BufferPoolOptions = {}): BufferPool {
  const { maxBytes = 16 * 1024 * 1024, bufferBytes = 512 * 1024, spareBytes = 8 * 1024 * 1024 } = options;
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
      if ((spare.length + 1) * pairBytes <= spareBytes) spare.push(pair);
    },
  };
}
