import type { Hash } from 'node:crypto';
import { abortable } from '../../base/flow/abortable.ts';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import {
  type ByteRange,
  type Bytes,
  type Content,
  collected,
  type Descriptor,
  isWrongContent,
  mismatch,
  type ReadOptions,
  verified,
} from '../../oci/content.ts';
import { type Digest, digester, isMatch } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { lengthOf } from '../../oci/range.ts';
import type { CachedBlobs } from '../../store/store.ts';
import type { StoredFile } from '../../store/stored-file.ts';
import type { CacheEvents } from '../events.ts';
import { BrokenSource } from '../fills/failover-read.ts';
import { FoundRight } from './found-right.ts';

/** The stored copy is unusable: deleted, truncated, corrupt, or the store is down. Use another. */
class CorruptBlob extends BrokenSource {
  override readonly name = 'CorruptBlob';
}

/** Reads from a store that may lose, cut or garble what it was given. */
export interface VerifiedStore {
  /**
   * The descriptor; undefined if absent, or if the store fails. Never throws. A copy of another
   * size than the expected one (negative: unknown) is read and verified once, and deleted if it is
   * wrong; then a farther copy counts.
   */
  stat(digest: Digest, expectedSize?: number): Promise<Descriptor | undefined>;
  /** Whether `stat` needs no call to a server. */
  knows(digest: Digest): boolean;
  /**
   * Opens the whole copy, for a reader who begins at once: one call where `stat` and `read` are
   * two. Undefined if absent or of another size, or if the store fails. Never throws.
   */
  begin(descriptor: Descriptor): Promise<Content | undefined>;
  /**
   * Exactly the bytes of the range, else throws CorruptBlob; a copy that is gone or short is taken
   * out of the store. A whole read is hashed, always or the first time, as `verifies` says: garbled
   * bytes throw `UPSTREAM_INVALID` in place of the last chunk, and that copy is taken out too, but
   * no farther one, and none that came since. Of a part that is not the whole nothing is verified.
   * `begun` is the whole, opened before.
   */
  read(descriptor: Descriptor, range: ByteRange, signal?: AbortSignal, begun?: Content): Bytes;
  /**
   * The copy as an open file, where its bytes need no more hashing and the store has files.
   * Undefined otherwise, and when it is gone or the store fails: then `read` tells. Never throws.
   */
  openFile(descriptor: Descriptor): Promise<StoredFile | undefined>;
  /**
   * Whether this process found the copy right, in a store whose copies stay so: no look at the
   * store is needed. It may have left it since; then `read` tells.
   */
  isTrusted(descriptor: Descriptor): boolean;
  /** The copy was just verified: its first read need not verify it again. */
  markVerified(descriptor: Descriptor): void;
  /** The copy left the store: the next one is another. */
  forget(digest: Digest): void;
  /** A small verified blob; undefined if absent or corrupt, which deletes it. Never throws. */
  readSmall(descriptor: Descriptor): Promise<Uint8Array | undefined>;
}

/**
 * Which whole reads are hashed: a process's first of foreign blobs; all of them; or `far`: all, but
 * of near copies the first.
 */
export type Verifies = 'first' | 'always' | 'far';

interface VerifiedStoreOptions {
  readonly store: CachedBlobs;
  /** Default `first`. */
  readonly verifies?: Verifies;
  readonly events: Pick<CacheEvents, 'repaired' | 'storeFailed'>;
}

/** The store, with no trust in its medium. */
export function createVerifiedStore(options: VerifiedStoreOptions): VerifiedStore {
  const { store, events, verifies = 'first' } = options;
  const checking = createSingleFlight<boolean>();
  const right = new FoundRight();
  const failed = (error: unknown): void => events.storeFailed({ operation: 'read', error });

  async function opened(digest: Digest, reading?: ReadOptions): Promise<Content | undefined> {
    const turn = right.turn();
    const content = await store.open(digest, reading);
    return content && right.opened(content, turn);
  }

  /** Takes out the copy that a read found wrong, and no other. */
  async function remove(digest: Digest, read: Content | undefined): Promise<void> {
    const isNearer = await read?.distrust?.();
    if (isNearer !== true && read !== undefined && right.isReplaced(read)) return;
    right.delete(digest);
    events.repaired();
    if (isNearer === true) return;
    right.replaced(digest);
    await store.delete(digest).catch(failed);
  }

  async function isSuspect(found: Descriptor, expectedSize = -1): Promise<boolean> {
    if (expectedSize < 0 || found.size === expectedSize || right.has(found)) return false;
    return !(await checking(found.digest, () => isRight(found)));
  }

  /** Whether the bytes are what the digest says, however long it takes to read them. */
  async function isRight({ digest, size }: Descriptor): Promise<boolean> {
    const content = await opened(digest);
    if (content === undefined) return false;
    try {
      for await (const _chunk of verified(content.body, content.descriptor));
      right.add(content.descriptor);
      return content.descriptor.size === size;
    } catch (error) {
      if (!isWrongContent(error)) throw error;
      await remove(digest, content);
      return false;
    }
  }

  /** A copy of another size is wrong only if its hash is: what is said of its size may be wrong. */
  async function removeShort(size: number, read: Content): Promise<void> {
    if (read.descriptor.size === size) await remove(read.descriptor.digest, read);
    else await isSuspect(read.descriptor, size);
  }

  function mustVerify(descriptor: Descriptor, range: ByteRange, { isNearCopy = false }: Content): boolean {
    const isTrusted = verifies === 'first' || (verifies === 'far' && isNearCopy);
    return lengthOf(range) === descriptor.size && !(isTrusted && right.has(descriptor));
  }

  /** A wrong copy is taken out. */
  async function small({ digest, size }: Descriptor): Promise<Uint8Array | 'absent' | 'large' | 'wrong'> {
    const content = await opened(digest);
    if (content === undefined) return 'absent';
    if (content.descriptor.size > size) {
      await content.close();
      return 'large';
    }
    const bytes = await collected(content.body, size);
    if (isMatch(digester(digest).update(bytes), digest)) return bytes;
    await remove(digest, content);
    return 'wrong';
  }

  function confirm(descriptor: Descriptor, hash: Hash): void {
    if (!isMatch(hash, descriptor.digest)) throw mismatch(descriptor, descriptor.size);
    right.add(descriptor);
  }

  /** A copy that was never there is nothing to mend. */
  function gone(digest: Digest): CorruptBlob {
    if (right.delete(digest)) events.repaired();
    return new CorruptBlob('the stored blob was deleted');
  }

  /** The same file; that its disk cannot be read is told. What a client fails with is not ours. */
  function told(file: StoredFile): StoredFile {
    return {
      ...file,
      sendTo: (sink, range, signal) =>
        file.sendTo(sink, range, signal).catch((error: unknown) => {
          if (error instanceof RegistryError && error.code === 'UNAVAILABLE') failed(error);
          throw error;
        }),
    };
  }

  return {
    async stat(digest, expectedSize) {
      try {
        const found = await store.stat(digest);
        if (found === undefined || !(await isSuspect(found, expectedSize))) return found;
        const farther = await store.stat(digest);
        return farther && ((await isSuspect(farther, expectedSize)) ? undefined : farther);
      } catch (error) {
        failed(error);
        return undefined;
      }
    },

    knows: (digest) => store.knows?.(digest) ?? true,

    async begin({ digest, size }) {
      try {
        const content = await opened(digest);
        if (content === undefined || content.descriptor.size === size) return content;
        await content.close();
      } catch (error) {
        failed(error);
      }
      return undefined;
    },

    async *read(descriptor, range, signal, begun) {
      const { digest } = descriptor;
      let hash: Hash | undefined;
      let missing = lengthOf(range);
      let content = begun;
      try {
        content ??= await opened(digest, { range, ...(signal && { signal }) });
        if (content === undefined) throw gone(digest);
        if (mustVerify(descriptor, range, content)) hash = digester(digest);
        for await (const chunk of begun === undefined ? content.body : abortable(content.body, signal)) {
          missing -= chunk.byteLength;
          hash?.update(chunk);
          if (missing === 0 && hash !== undefined) confirm(descriptor, hash);
          yield chunk;
        }
      } catch (cause) {
        if (signal?.aborted === true || cause instanceof CorruptBlob) throw cause;
        if (!isWrongContent(cause)) failed(cause);
        else if (missing === 0 || content === undefined) await remove(digest, content);
        else await removeShort(descriptor.size, content).catch(failed);
        if (missing === 0) throw cause;
        throw new CorruptBlob('the stored blob cannot be read', { cause, delivered: hash });
      }
      if (missing === 0) return;
      await removeShort(descriptor.size, content).catch(failed);
      throw new CorruptBlob('the stored blob is truncated', { delivered: hash });
    },

    async openFile({ digest, size }) {
      if (verifies === 'always') return undefined;
      try {
        if (!right.has({ digest, size }) || store.openFile === undefined) return undefined;
        const file = await store.openFile(digest);
        if (file === undefined && verifies === 'first') right.delete(digest);
        return file && told(file);
      } catch (error) {
        failed(error);
        return undefined;
      }
    },

    isTrusted: (descriptor) => verifies === 'first' && right.has(descriptor),

    markVerified(descriptor) {
      right.replaced(descriptor.digest);
      right.add(descriptor);
    },

    forget(digest) {
      right.replaced(digest);
      right.delete(digest);
    },

    async readSmall(descriptor) {
      try {
        const first = await small(descriptor);
        const found = first === 'wrong' ? await small(descriptor) : first;
        return typeof found === 'string' ? undefined : found;
      } catch (error) {
        failed(error);
        return undefined;
      }
    },
  };
}
