// Room `store/disk-tier`: copies of a bucket's blobs on a local disk. In: blobs that are served.
// Out: the same store, whose hot blobs are read without S3. Imports: base, oci, store,
// store/filesystem; types of store/sending.

import type { BlobSource, Bytes, Content, Descriptor, ReadOptions } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { CachedBlobs, Store } from '../store.ts';
import type { StoredFile } from '../stored-file.ts';
import type { DiskTierEvents } from './events.ts';
import { type KeptFiles, withRest } from './kept-files.ts';

/** Reads of blobs that are not on the disk, shared while they overlap. */
export interface SharedReads extends Pick<BlobSource, 'open'> {
  /** Whether the whole blob is being read, and others may join. */
  isReading(digest: Digest): boolean;
  /** The blob is deleted: readers of it read on, no other joins them, and no copy is left. */
  forget(digest: Digest): void;
  /** Ends every read under way, and resolves when that is done. */
  close(): Promise<void>;
}

interface DiskTierOptions {
  readonly files: KeptFiles;
  /** Reads of the medium, which leave copies in `files`. */
  readonly reads: SharedReads;
  readonly events: Pick<DiskTierEvents, 'diskRead'>;
}

/**
 * The same store, whose blobs are read from copies on a disk where there are any. The medium is the
 * truth: it takes what is put, and lists and redirects. A copy is right for ever, since its digest
 * names its bytes, and grants nothing: rights are records, which are asked before a blob is opened.
 * So it is served at once, while the medium is asked whether it still has the blob, where it does
 * not remember: at most once an hour. A copy whose blob is gone there goes too; while the medium
 * does not answer, it stays. A disk that fails fails no read: the medium delivers instead.
 */
export function withDisk(store: Store, options: DiskTierOptions): Store {
  const { files, reads } = options;
  return {
    ...store,
    blobs: nearBlobs(store.blobs, options),
    async sweep(sweeping) {
      void files.start();
      return (await files.temps.sweep(sweeping).catch(() => 0)) + (await store.sweep(sweeping));
    },
    async close() {
      await reads.close();
      await files.close();
      await store.close();
    },
  };
}

function nearBlobs(medium: CachedBlobs, { files, reads, events }: DiskTierOptions): CachedBlobs {
  const { redirectUrl } = medium;

  /**
   * Whether the medium still has the blob; a copy of what it lacks, or has in another size, goes.
   * Never rejects: a medium that does not answer says nothing.
   */
  async function confirm(digest: Digest): Promise<boolean> {
    try {
      const found = await medium.stat(digest);
      if (found === undefined || (await isOther(found))) await files.remove(digest);
      return found !== undefined;
    } catch {
      return true;
    }
  }

  async function isOther({ digest, size }: Descriptor): Promise<boolean> {
    const held = await files.size(digest);
    return held !== undefined && held !== size;
  }

  async function rest(digest: Digest, reading: ReadOptions, start: number, end: number): Promise<Bytes> {
    const content = await medium.open(digest, { ...reading, range: { start, end } });
    if (content === undefined) throw new Error('the medium no longer has the blob');
    return content.body;
  }

  function near(copy: Content, digest: Digest, reading: ReadOptions): Content {
    const { start, end } = reading.range ?? { start: 0, end: copy.descriptor.size - 1 };
    const continued = async (from: number, error: unknown): Promise<Bytes> => {
      await files.failed(digest, error);
      return rest(digest, reading, from, end);
    };
    const distrust = async (): Promise<boolean> => {
      await files.remove(digest);
      return true;
    };
    return { ...copy, body: withRest(copy.body, start, continued, reading.signal), distrust };
  }

  /** A copy that cannot be sent is given up, and says nothing of the medium, which goes on. */
  function nearFile(file: StoredFile, digest: Digest): StoredFile {
    return {
      ...file,
      async sendTo(sink, range, signal) {
        try {
          await file.sendTo(sink, range, signal);
        } catch (error) {
          if (!(error instanceof RegistryError) || signal.aborted) throw error;
          await files.failed(digest, error);
          throw new Error('the copy on the disk cannot be read', { cause: error });
        }
      },
    };
  }

  return {
    ...medium,
    async stat(digest, options) {
      if (medium.knows?.(digest) === true) await confirm(digest);
      const size = await files.size(digest);
      return size === undefined ? await medium.stat(digest, options) : { digest, size };
    },
    knows: (digest) => files.has(digest) || (medium.knows?.(digest) ?? true),
    async open(digest, reading = {}) {
      if (reading.isUpkeep === true) return medium.open(digest, reading);
      const copy = await files.open(digest, reading);
      if (copy === undefined) return reads.open(digest, reading);
      events.diskRead({ result: 'hit' });
      void confirm(digest);
      return near(copy, digest, reading);
    },
    async openFile(digest) {
      const file = await files.openFile(digest);
      if (file === undefined) return undefined;
      events.diskRead({ result: 'hit' });
      void confirm(digest);
      return nearFile(file, digest);
    },
    async delete(digest) {
      reads.forget(digest);
      await medium.delete(digest);
      await files.remove(digest);
    },
    keep: (descriptor, file) => files.adopt(descriptor, file),
    ...(redirectUrl && {
      redirectUrl: async (digest: Digest) =>
        (await confirm(digest)) ? await redirectUrl(digest) : undefined,
    }),
  };
}
