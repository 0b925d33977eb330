import { join } from 'node:path';
import type { BufferPool } from './cache/store/buffers.ts';
import { filesystemStore } from './cache/store/filesystem-store.ts';
import { memoryStore } from './cache/store/memory-store.ts';
import type { Store, StoreEvents } from './cache/store/store.ts';
import type { Config } from './config.ts';

/** The store that the configuration names. The SDK of S3 is loaded only by those who use it. */
export async function configuredStore(
  { store }: Config,
  readBuffers: BufferPool,
  events: Partial<StoreEvents>,
): Promise<Store> {
  if ('s3' in store) return (await import('./cache/store/s3-store.ts')).s3Store({ ...store.s3, events });
  if ('memory' in store) return memoryStore(store.memory);
  return filesystemStore({ path: join(store.filesystem.path), readBuffers });
}
