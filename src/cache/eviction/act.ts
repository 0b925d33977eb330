import { concurrently } from '../../base/flow/each.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Store } from '../../store/store.ts';
import type { Eviction } from './plan.ts';

interface EvictionActOptions {
  readonly store: Pick<Store, 'blobs'>;
  /** True for what has come into use since the plan was made. */
  readonly isInUse: (digest: Digest) => boolean;
  readonly evicted: (eviction: Eviction) => void;
  readonly signal: AbortSignal;
}

const deletesAtATime = 8;

/**
 * Deletes what a plan lists and is still unused; resolves to the deletions. Manifests first: an
 * interrupted run leaves none without its blobs. A manifest in use keeps all that it references.
 */
export async function carriedOut(
  evictions: readonly Eviction[],
  { store, isInUse, evicted, signal }: EvictionActOptions,
): Promise<Eviction[]> {
  const done: Eviction[] = [];
  const spared = new Set<Digest>();

  async function evict(eviction: Eviction): Promise<void> {
    const { digest } = eviction;
    const root = eviction.with;
    if (isInUse(digest) || (root !== undefined && spared.has(root))) {
      spared.add(digest);
      return;
    }
    await store.blobs.delete(digest);
    evicted(eviction);
    done.push(eviction);
  }

  for (const isManifest of [true, false]) {
    const phase = evictions.filter((eviction) => eviction.isManifest === isManifest);
    await concurrently(phase, deletesAtATime, evict, { signal });
  }
  return done;
}
