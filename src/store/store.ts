// Room `store`: what a medium must do: blobs, records, sweep, usable or not. In: nothing. Out: the
// interface, its keys, and the medium in memory. Imports: base, oci.

import type { LastingEvent } from '../base/flow/lasting.ts';
import { createOutage, type Outage } from '../base/state/outage.ts';
import type { BlobStore, Descriptor } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import type { Records } from './records.ts';
import type { StoredFile } from './stored-file.ts';

/** A medium: content by digest, and the small records beside it. */
export interface Store {
  readonly kind: 'memory' | 'filesystem' | 's3';
  readonly blobs: CachedBlobs;
  readonly records: Records;
  /** True when a small write and read succeed; for readiness. Never throws. */
  isUsable(): Promise<boolean>;
  /** Removes leftovers of a crash: temporary files, uploads. Resolves to their number. */
  sweep(options?: { readonly signal?: AbortSignal }): Promise<number>;
  close(): Promise<void>;
}

/** A blob store with the optional faster ways that some media have. */
export interface CachedBlobs extends BlobStore {
  /**
   * Makes a complete, verified file of our own part of the store without a copy (same file system:
   * rename). Resolves to false if it cannot, leaving the file.
   */
  adopt?(descriptor: Descriptor, file: string): Promise<boolean>;
  /** The blob as an open file of this machine; undefined when it is not here. Throws likewise. */
  openFile?(digest: Digest): Promise<StoredFile | undefined>;
  /**
   * A URL that delivers the blob by a plain GET without us, valid for a few minutes; undefined
   * where it would deliver nothing.
   */
  redirectUrl?(digest: Digest): Promise<string | undefined>;
  /**
   * Makes the file of a blob that was just put a nearer copy of it (same file system: rename).
   * Resolves to false if it cannot, leaving the file; never rejects.
   */
  keep?(descriptor: Descriptor, file: string): Promise<boolean>;
  /**
   * Whether `stat` answers from what this process knows, without a call to a server. Without the
   * method it never needs one.
   */
  knows?(digest: Digest): boolean;
  /** Another replica has stored the blob in this store, which need not be asked for that. */
  learned?(descriptor: Descriptor): void;
}

/** What a store is asked for by digest. */
type BlobOperation = 'stat' | 'open' | 'put' | 'adopt';

/** What a store reports while it works. */
export interface StoreEvents {
  /** A blob is looked up, opened, or stored. */
  blobAccessing?: LastingEvent<{ readonly operation: BlobOperation; readonly digest: Digest }>;
  /** One call to S3 ended. */
  called(event: {
    readonly operation: string;
    readonly outcome: 'ok' | 'absent' | 'error' | 'throttled';
    readonly seconds: number;
  }): void;
  /** A small write and read failed, or succeeded again after that. */
  usabilityChanged?(event: { readonly isUsable: boolean; readonly error?: unknown }): void;
  /** The store failed several times in a row and is left alone, or a probe found it well again. */
  availabilityChanged(event: { readonly isAvailable: boolean; readonly error?: unknown }): void;
}

/**
 * Tells `usabilityChanged` each time that the store's own check begins to fail, or succeeds again.
 */
export function storeOutage(events: Pick<StoreEvents, 'usabilityChanged'> = {}): Outage {
  return createOutage({
    began: (error) => events.usabilityChanged?.({ isUsable: false, error }),
    ended: () => events.usabilityChanged?.({ isUsable: true }),
  });
}
