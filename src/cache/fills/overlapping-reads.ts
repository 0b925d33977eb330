import { countedReads } from '../../store/open-reads.ts';
import type { CachedBlobs } from '../../store/store.ts';
import { createSharedReads } from './shared-reads.ts';
import type { Spool } from './spool.ts';

interface OverlappingReads {
  /** The same blobs, whose reads are shared. */
  readonly blobs: CachedBlobs;
  /** Ends every shared read, and resolves when that is done. */
  close(): Promise<void>;
}

/**
 * A far medium, such as a bucket without a disk before it, whose overlapping reads of one blob are
 * two of the medium's, however many there are. The first reader of a blob has its bytes as they
 * come, without a detour over the disk. The second one begins a read into the spool, which all
 * others join; it ends with its last reader, leaves nothing, and gives way to downloads.
 */
export function createOverlappingReads(medium: CachedBlobs, spool: Spool): OverlappingReads {
  const alone = countedReads(medium);
  const spare: Spool = { ...spool, file: (size, events) => spool.file(size, events, { isSpare: true }) };
  const shared = createSharedReads({ from: medium, spool: spare });
  return {
    blobs: {
      ...medium,
      open(digest, reading = {}) {
        const isShared = shared.isReading(digest) || alone.isReading(digest);
        const isFor = isShared && reading.isUpkeep !== true ? shared : alone.blobs;
        return isFor.open(digest, reading);
      },
      async delete(digest) {
        shared.forget(digest);
        await medium.delete(digest);
      },
    },
    close: shared.close,
  };
}
