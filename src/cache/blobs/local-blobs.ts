import type { LRUCache } from 'lru-cache';
import { type ByteRange, type Bytes, bytesOf, type Content, type Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { isWhole, whole } from '../../oci/range.ts';
import type { CacheEvents, Hit } from '../events.ts';
import type { OpenedBlob } from './pulled-blobs.ts';
import type { VerifiedStore } from './verified-store.ts';

/** A blob whose bytes are in memory. */
export function inMemory(digest: Digest, bytes: Uint8Array, hit: Hit): OpenedBlob {
  const descriptor = { digest, size: bytes.byteLength };
  return {
    descriptor,
    hit,
    bytes,
    read: (range = whole(descriptor)) => bytesOf(bytes.subarray(range.start, range.end + 1)),
  };
}

/** Reads of a stored blob. The first takes what was opened already, where it wants all of it. */
export function storedReads(
  copies: Pick<VerifiedStore, 'read'>,
  descriptor: Descriptor,
  opened: Content | undefined,
): (rest: ByteRange, signal: AbortSignal | undefined) => Bytes {
  let begun = opened;
  return (rest, signal) => {
    const content = isWhole(rest, descriptor) ? begun : undefined;
    begun = undefined;
    return copies.read(descriptor, rest, signal, content);
  };
}

interface LocalCopies {
  readonly memory: LRUCache<Digest, Uint8Array>;
  readonly copies: Pick<VerifiedStore, 'readSmall' | 'begin'>;
  readonly events: Pick<CacheEvents, 'copyLookedUp'>;
}

/**
 * A blob of the stated size, by one call to the store that tells as well whether it is there: the
 * whole of a small one, the opened body of another. Undefined where it is not, or of another size.
 */
export async function begunBlob(
  { memory, copies, events }: LocalCopies,
  { digest, size }: Descriptor,
  stored: (opened: Content) => OpenedBlob,
): Promise<OpenedBlob | undefined> {
  const isSmall = size <= memory.maxEntrySize;
  const found = await (isSmall ? copies.readSmall({ digest, size }) : copies.begin({ digest, size }));
  if (found === undefined) return undefined;
  events.copyLookedUp?.({ digest, source: 'store' });
  if (!(found instanceof Uint8Array)) return stored(found);
  memory.set(digest, found);
  return inMemory(digest, found, 'store');
}
