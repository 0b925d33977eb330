import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { Entrance } from '../access/entrance.ts';
import type { BlobMode } from './blob-modes.ts';

/**
 * All that one configuration says about requests. It never changes: a change of the configuration
 * makes another one, and each request is answered by the one that was in force when it came.
 */
export interface Generation extends Entrance {
  /** By the configured name of the upstream. */
  readonly registries: ReadonlyMap<string, CachedRegistry>;
  /** How blobs go out, by the configured name of the host. Default: by the store's own setting. */
  readonly blobModes: ReadonlyMap<string, BlobMode>;
}
