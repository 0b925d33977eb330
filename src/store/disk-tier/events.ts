import type { Digest } from '../../oci/digest.ts';

/** What a disk before the bucket reports. */
export interface DiskTierEvents {
  /** A stored blob is read from the disk; behind a read under way; from the bucket. */
  diskRead(event: { readonly result: 'hit' | 'joined' | 'miss' }): void;
  /** The disk holds so much now. */
  diskChanged(event: { readonly bytes: number; readonly blobs: number }): void;
  /** A copy of that size came, or went: other processes on the disk count it too. */
  copyChanged?(event: { readonly digest: Digest; readonly size?: number }): void;
  /** A copy made room for others. */
  diskEvicted(): void;
  /** A copy cannot be read or written; S3 delivers instead. */
  diskFailed(event: { readonly operation: 'read' | 'write'; readonly error: unknown }): void;
  /** Files can no longer be written, or can again. */
  diskUsabilityChanged(event: { readonly isUsable: boolean; readonly error?: unknown }): void;
}
