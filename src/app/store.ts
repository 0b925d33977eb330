import { join } from 'node:path';
import type { Config } from '../config/load.ts';
import type { BufferPool } from '../store/buffers.ts';
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
  return createFilesystemStore({ path: join(store.filesystem.path), readBuffers, events });
}
