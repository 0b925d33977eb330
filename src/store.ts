import { join } from 'node:path';
import type { BufferPool } from './cache/buffers.ts';
import { filesystemStore } from './cache/filesystem-store.ts';
import { memoryStore } from './cache/memory-store.ts';
import { s3Store } from './cache/s3-store.ts';
import type { Store, StoreEvents } from './cache/store.ts';
import type { Config } from './config.ts';

/** The store that the configuration names. */
export function configuredStore({ store }: Config, readBuffers: BufferPool, events: StoreEvents): Store {
  if ('s3' in store) return s3Store({ ...store.s3, events });
  if ('memory' in store) return memoryStore(store.memory);
  return filesystemStore({ path: join(store.filesystem.path), readBuffers });
}
