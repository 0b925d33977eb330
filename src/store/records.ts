/** A record as read, with the version that a conditional write must name. */
interface StoredRecord {
  readonly bytes: Uint8Array;
  /** Opaque; changes with each write (an S3 ETag, a file's content digest). */
  readonly version: string;
}

interface WriteCondition {
  /** `absent`: only if there is none. Otherwise: only if it still has this version. */
  readonly ifVersion?: 'absent' | (string & {});
}

export interface RecordEntry {
  readonly key: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly writtenAt: number;
}

/**
 * Small named records (tag pointers, membership, usage, leases) beside the blobs. Keys are paths of
 * `[A-Za-z0-9._@:-]` components joined by `/`, as of keys.ts.
 */
export interface Records {
  /** The record, or undefined when there is none; throws when that cannot be told. */
  get(key: string): Promise<StoredRecord | undefined>;
  /** Writes atomically and durably. Resolves to the version; undefined if the condition failed. */
  put(key: string, bytes: Uint8Array, condition?: WriteCondition): Promise<string | undefined>;
  /** Absent is not an error. */
  delete(key: string): Promise<void>;
  /** Every record whose key begins with `prefix`, in no order. */
  list(prefix: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<RecordEntry>;
}
