import { join } from 'node:path';
import { createSharedReads } from '../cache/fills/shared-reads.ts';
import { createSpool } from '../cache/fills/spool.ts';
import { diskOf } from '../config/config.ts';
import type { Config } from '../config/load.ts';
import type { BufferPool } from '../store/buffers.ts';
import { withDisk } from '../store/disk-tier/disk-tier.ts';
import type { DiskTierEvents } from '../store/disk-tier/events.ts';
import { KeptFiles } from '../store/disk-tier/kept-files.ts';
import { createFilesystemStore } from '../store/filesystem/filesystem-store.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import type { Store, StoreEvents } from '../store/store.ts';

/** The store that the configuration names. The SDK of S3 is loaded only by those who use it. */
export async function configuredStore(
  { store }: Config,
  readBuffers: BufferPool,
  events: Partial<StoreEvents>,
): Promise<Store> {
  if ('s3' in store) return (await import('../store/s3/s3-store.ts')).createS3Store({ ...store.s3, events });
  if ('memory' in store) return createMemoryStore(store.memory);
  return createFilesystemStore({
    ...store.filesystem,
    path: join(store.filesystem.path),
    readBuffers,
    events,
  });
}

/** The same, behind its disk where the configuration names one: for those who serve. */
export async function servedStore(
  config: Config,
  buffers: BufferPool,
  events: { readonly store: Partial<StoreEvents>; readonly disk: DiskTierEvents },
): Promise<Partial<DiskTier> & Pick<DiskTier, 'store'>> {
  const store = await configuredStore(config, buffers, events.store);
  const disk = diskOf(config);
  return disk === undefined ? { store } : createDiskTier(store, { disk, buffers, events: events.disk });
}

interface DiskTierParts {
  /** The directory, and what it may hold, bytes. */
  readonly disk: { readonly path: string; readonly maxBytes: number };
  readonly buffers: BufferPool;
  readonly events: DiskTierEvents;
}

/** A store behind a disk. */
interface DiskTier {
  readonly store: Store;
  readonly files: KeptFiles;
}

/** Copies of what the store delivers, on a disk before it. */
export function createDiskTier(medium: Store, { disk, buffers, events }: DiskTierParts): DiskTier {
  const files = new KeptFiles({ ...disk, buffers, events });
  const spool = createSpool({
    directory: join(disk.path, 'tmp'),
    maxBytes: disk.maxBytes,
    files: files.temps,
    buffers,
    changed: (bytes) => files.pending(bytes),
    usabilityChanged(isUsable, error) {
      if (!isUsable) files.health.writeFailed(error);
    },
  });
  const reads = createSharedReads({ from: medium.blobs, into: files, spool, events });
  return { store: withDisk(medium, { files, reads, events }), files };
}
