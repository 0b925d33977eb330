import type { ByteRange, Bytes } from '../oci/content.ts';
import { collected, type Descriptor } from '../oci/content.ts';
import { type Digest, digester, isMatch } from '../oci/digest.ts';
import { lengthOf } from '../oci/range.ts';
import type { CacheEvents } from './events.ts';
import type { CachedBlobs } from './store.ts';

/** The stored copy cannot be read on: it is gone, short or wrong, or the store is down. Another source may have it. */
export class BrokenCopy extends Error {
  override readonly name = 'BrokenCopy';
}

/** Reads from a store that may lose, cut or garble what it was given. */
export interface StoredCopies {
  /** The descriptor; undefined when it is not there, or the store cannot tell. Never throws. */
  stat(digest: Digest): Promise<Descriptor | undefined>;
  /** Exactly the bytes of the range, else throws BrokenCopy; a copy that is gone or short is taken out of the store. */
  read(digest: Digest, range: ByteRange, signal?: AbortSignal): Bytes;
  /** A small blob, checked; undefined when it is not there or was not right, and then it is taken out. Never throws. */
  readSmall(descriptor: Descriptor): Promise<Uint8Array | undefined>;
}

export interface StoredCopiesOptions {
  readonly store: CachedBlobs;
  readonly events: Pick<CacheEvents, 'repaired' | 'storeFailed'>;
}

/** The store, with no trust in its medium. */
export function storedCopies({ store, events }: StoredCopiesOptions): StoredCopies {
  const failed = (error: unknown): void => events.storeFailed({ operation: 'read', error });

  async function remove(digest: Digest): Promise<void> {
    events.repaired();
    await store.delete(digest).catch(failed);
  }

  async function* opened(digest: Digest, range: ByteRange, signal?: AbortSignal): Bytes {
    const content = await store.open(digest, { range, ...(signal === undefined ? {} : { signal }) });
    if (content !== undefined) yield* content.body;
  }

  return {
    async stat(digest) {
      try {
        return await store.stat(digest);
      } catch (error) {
        failed(error);
        return undefined;
      }
    },

    async *read(digest, range, signal) {
      let missing = lengthOf(range);
      try {
        for await (const chunk of opened(digest, range, signal)) {
          missing -= chunk.byteLength;
          yield chunk;
        }
      } catch (cause) {
        if (signal?.aborted === true) throw cause;
        failed(cause);
        throw new BrokenCopy('the stored blob cannot be read', { cause });
      }
      if (missing === 0) return;
      await remove(digest);
      throw new BrokenCopy('the stored blob is gone or short');
    },

    async readSmall({ digest, size }) {
      try {
        const content = await store.open(digest);
        if (content === undefined) return undefined;
        const bytes = await collected(content.body, size);
        if (isMatch(digester(digest).update(bytes), digest)) return bytes;
        await remove(digest);
      } catch (error) {
        failed(error);
      }
      return undefined;
    },
  };
}
