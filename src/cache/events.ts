import type { Digest } from '../oci/digest.ts';
import type { FillOutcome } from './fill.ts';

/** Where an answer's bytes came from, most wanted first. Also the word in the `Quayside-Cache` header. */
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
