import { LRUCache } from 'lru-cache';
import type { Digest } from '../../oci/digest.ts';

/** Small content kept in memory, bytes of all and of one at most. */
export interface MemoryRoom {
  readonly maxBytes: number;
  readonly maxEntryBytes: number;
}

/** Small content by digest: above its room the least recently used gives way. */
export function createContentMemory<Value extends object>(
  { maxBytes, maxEntryBytes }: MemoryRoom,
  bytesOf: (value: Value) => number,
): LRUCache<Digest, Value> {
  return new LRUCache<Digest, Value>({
    maxSize: maxBytes,
    maxEntrySize: maxEntryBytes,
    sizeCalculation: (value) => bytesOf(value) || 1,
  });
}
