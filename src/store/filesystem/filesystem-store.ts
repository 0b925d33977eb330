// Room `store/filesystem`: blobs and records in a directory. In: verified bytes. Out: files that
// appear whole or not at all. Imports: base, oci, store,
// store/sending.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outage } from '../../base/state/outage.ts';
import { bytesOf } from '../../oci/content.ts';
import { type BufferPool, createBufferPool } from '../buffers.ts';
import type { KernelSend } from '../sending/kernel-send.ts';
import { type CachedBlobs, type Store, type StoreEvents, storeOutage } from '../store.ts';
import { disk } from './disk.ts';
import { filesystemBlobs } from './filesystem-blobs.ts';
import { createFilesystemRecords } from './filesystem-records.ts';
import { createTempFiles, type TempFiles } from './temp-files.ts';

interface FilesystemStoreOptions {
  /** The store's directory; made when it is first written to. */
  readonly path: string;
  /** Large buffers for fast readers; to be shared with others that read files. Default: its own. */
  readonly readBuffers?: BufferPool;
  /** How the kernel sends blobs to plain sockets. Default: it does not. */
  readonly kernel?: Promise<KernelSend | undefined> | undefined;
  /**
   * Whether its reads and listings may block the thread, at a fifth of the cost: for one that
   * serves no client. Default: false.
   */
  readonly mayBlock?: boolean;
  readonly events?: Pick<StoreEvents, 'usabilityChanged'>;
}

interface FilesystemStore extends Store {
  readonly blobs: CachedBlobs & Required<Pick<CachedBlobs, 'adopt'>>;
}

/**
 * A store in a directory:
 *
 *     <path>/
 *       v1/…      what keys.ts draws: blobs and records
 *       tmp/…     what is being written; swept
 *       locks/…   held for the moment of a conditional write
 *
 * `tmp` must be on the same file system as `v1`. Several processes of one host may share the
 * directory, as workers do. Of two containers with one host name each takes the other for an
 * earlier run of its own, and removes what that one writes: they must never share it.
 */
export function createFilesystemStore(options: FilesystemStoreOptions): FilesystemStore {
  const { path, readBuffers = createBufferPool(), kernel, mayBlock, events } = options;
  const temps = createTempFiles(join(path, 'tmp'));
  const outage = storeOutage(events);
  return {
    kind: 'filesystem',
    blobs: filesystemBlobs({ path, temps, pool: readBuffers, kernel, mayBlock }),
    records: createFilesystemRecords({ path, temps, mayBlock }),
    isUsable: () => isWritable(temps, outage),
    sweep: (sweeping) => temps.sweep(sweeping),
    close: async () => {},
  };
}

async function isWritable(temps: TempFiles, outage: Outage): Promise<boolean> {
  const probe = temps.newPath();
  try {
    await disk.writeNew(probe, bytesOf(Buffer.from('probe')));
    const text = await readFile(probe, 'utf8');
    if (text !== 'probe') throw new Error('a file that was just written reads differently');
    await rm(probe, { force: true });
    outage.worked();
    return true;
  } catch (error) {
    await rm(probe, { force: true }).catch(() => undefined);
    outage.failed(error);
    return false;
  }
}
