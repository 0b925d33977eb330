import type { Digest } from '../oci/digest.ts';
import type { CachedBlobs, Store, StoreEvents } from './store.ts';

/** The same store; what is asked of its blobs lasts as long as an event of it, if one is told. */
export function toldStore(store: Store, { blobAccessing: told }: Pick<StoreEvents, 'blobAccessing'>): Store {
  return told === undefined ? store : { ...store, blobs: toldBlobs(store.blobs, told) };
}

function toldBlobs(blobs: CachedBlobs, told: NonNullable<StoreEvents['blobAccessing']>): CachedBlobs {
  const { openFile, adopt } = blobs;
  return {
    ...blobs,
    stat: (digest, options) => told({ operation: 'stat', digest }, () => blobs.stat(digest, options)),
    open: (digest, options) => told({ operation: 'open', digest }, () => blobs.open(digest, options)),
    put: (descriptor, bytes, options) =>
      told({ operation: 'put', digest: descriptor.digest }, () => blobs.put(descriptor, bytes, options)),
    ...(adopt && {
      adopt: (descriptor, file) =>
        told({ operation: 'adopt', digest: descriptor.digest }, () => adopt(descriptor, file)),
    }),
    ...(openFile && {
      openFile: (digest: Digest) => told({ operation: 'open', digest }, () => openFile(digest)),
    }),
  };
}
