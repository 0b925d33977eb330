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
import type { SendingEvents } from '../store/sending/events.ts';
import { type KernelSend, loadKernelSend } from '../store/sending/kernel-send.ts';
import type { Store, StoreEvents } from '../store/store.ts';
import { createDownloads } from '../upstream/download/downloads.ts';

/** The store that the configuration names. The SDK of S3 is loaded only by those who use it. */
export async function configuredStore(
  { store }: Config,
  readBuffers: BufferPool,
  events: Partial<StoreEvents>,
  kernel?: Promise<KernelSend | undefined>,
): Promise<Store> {
  if ('s3' in store) {
    const { createS3Store } = await import('../store/s3/s3-store.ts');
    const downloads = createDownloads({ mostAtRest: store.s3.maxSockets });
    return createS3Store({ ...store.s3, events, downloads });
  }
  if ('memory' in store) return createMemoryStore(store.memory);
  return createFilesystemStore({
    ...store.filesystem,
    path: join(store.filesystem.path),
    readBuffers,
    events,
    kernel,
  });
}

/** The same, behind its disk where the configuration names one: for those who serve. */
export async function servedStore(
  config: Config,
  buffers: BufferPool,
  events: { readonly store: Partial<StoreEvents>; readonly disk: DiskTierEvents & SendingEvents },
): Promise<ServedStore> {
  const kernel = configuredKernel(config, events.disk);
  const store = await configuredStore(config, buffers, events.store, kernel);
  const disk = diskOf(config);
  if (disk === undefined) return { store, kernel };
  return { kernel, ...createDiskTier(store, { disk, buffers, kernel, events: events.disk }) };
}

interface ServedStore extends Pick<DiskTier, 'store'> {
  readonly files?: KeptFiles;
  /** How the kernel sends files to clients, where it does. */
  readonly kernel: Promise<KernelSend | undefined>;
}

interface DiskTierParts {
  /** The directory, and what it may hold, bytes. */
  readonly disk: { readonly path: string; readonly maxBytes: number };
  readonly buffers: BufferPool;
  /** How the kernel sends files to clients. Default: it does not. */
  readonly kernel?: Promise<KernelSend | undefined> | undefined;
  readonly events: DiskTierEvents;
}

/** A store behind a disk. */
interface DiskTier {
  readonly store: Store;
  readonly files: KeptFiles;
}

/** Copies of what the store delivers, on a disk before it. */
export function createDiskTier(medium: Store, { disk, buffers, kernel, events }: DiskTierParts): DiskTier {
  const files = new KeptFiles({ ...disk, buffers, kernel, events });
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

/**
 * How the kernel sends files to clients, once that is known; undefined where it does not, of which
 * the events tell why. Never rejects.
 */
async function configuredKernel(
  { sendfile, tls }: Pick<Config, 'sendfile' | 'tls'>,
  events: SendingEvents,
): Promise<KernelSend | undefined> {
  const found = await (sendfile && tls === undefined ? loadKernelSend() : undefined);
  if (found === undefined) events.kernelSendKnown({ state: sendfile ? 'tls' : 'off' });
  else if ('lacks' in found) events.kernelSendKnown({ state: found.lacks, error: found.error });
  else {
    events.kernelSendKnown({ state: 'on' });
    return counted(found, events);
  }
  return undefined;
}

function counted(kernel: KernelSend, { kernelSent }: Pick<SendingEvents, 'kernelSent'>): KernelSend {
  return {
    duplicate: kernel.duplicate,
    send: (request, sent) =>
      kernel.send(request, (bytes) => {
        if (bytes > 0) kernelSent({ bytes });
        sent(bytes);
      }),
  };
}
