import type { Digest } from '../oci/digest.ts';

/** The source of an answer's bytes, best first. Also the word in the `Quayside-Cache` header. */
export type Hit =
  /** from memory, nothing else was touched */
  | 'memory'
  /** from the store */
  | 'store'
  /** from a download that another request had begun */
  | 'joined'
  /** from a download that this request began */
  | 'fill'
  /** handed through from the upstream and not kept */
  | 'upstream'
  /** older than the policy likes, because the upstream could not be asked */
  | 'stale'
  /** the client was sent to the store itself */
  | 'redirect'
  /** the client got the upstream's own answer, past the cache */
  | 'bypass';

export type ReadKind = 'manifest' | 'blob' | 'tags' | 'referrers';

/**
 * Why a download has no room in the spool: its blob is larger than one may be, all room is taken,
 * or it is too slow to keep any.
 */
export type RoomRefusal = 'too-large' | 'spool-full' | 'too-slow';

/**
 * Why a whole and right blob is not in the store, or was handed through: for want of room, or the
 * store or its disk failed.
 */
export type NotKept = RoomRefusal | 'unwritable' | 'store';

/** What became of a download. */
export type FillOutcome = 'stored' | NotKept | 'failed';

/** What the cache reports while it works. All labels come from small closed sets. */
export interface CacheEvents {
  /** One question was answered. */
  read(event: { readonly kind: ReadKind; readonly hit: Hit }): void;
  /** A download began. */
  fillStarted(): void;
  /** A download ended: in the store; not kept, and why; or broken. */
  fillEnded(event: { readonly digest: Digest; readonly outcome: FillOutcome }): void;
  /** A reader joined a download that was running. */
  joined(): void;
  /** The spool holds this many bytes now. */
  spoolChanged(event: { readonly bytes: number }): void;
  /** A stored blob was missing, short or wrong, and is fetched again. */
  repaired(): void;
  /** The store failed; the pull goes on without it. */
  storeFailed(event: { readonly operation: 'read' | 'write'; readonly error: unknown }): void;
}
