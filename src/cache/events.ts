import type { LastingEvent } from '../base/flow/lasting.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository, Tag } from '../oci/reference.ts';
import type { UpstreamLie } from '../upstream/upstream.ts';

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
  /** from another replica, which downloads it or has it stored */
  | 'member'
  /** handed through from the upstream and not kept */
  | 'upstream'
  /** older than the policy likes, because the upstream could not be asked */
  | 'stale'
  /** the client was sent to the store itself */
  | 'redirect'
  /** the client got the upstream's own answer, past the cache */
  | 'bypass';

export type ReadKind = 'manifest' | 'blob' | 'tags' | 'referrers';

/** Why a download has no room in the spool: too large, spool full, or too slow to stay. */
export type RoomRefusal = 'too-large' | 'spool-full' | 'too-slow';

/** Why a download is not stored: no room, a full disk, a spool or a store that fails. */
export type NotKept = RoomRefusal | 'disk-full' | 'unwritable' | 'store';

/** What became of a download. `followed`: it came whole from another replica, which stores it. */
export type FillOutcome = 'stored' | 'followed' | NotKept | 'failed';

/** One download of an upstream's blob. */
export interface FillName {
  readonly upstream: string;
  readonly digest: Digest;
}

/** What the cache reports while it works. All labels come from small closed sets. */
export interface CacheEvents {
  /** One question was answered. */
  read(event: { readonly kind: ReadKind; readonly hit: Hit }): void;
  /** What a tag names is found out, for a request or another member. */
  tagResolving?: LastingEvent<{
    readonly upstream: string;
    readonly repository: Repository;
    readonly tag: Tag;
  }>;
  /** A tag was looked up in memory and store, before its upstream is asked. */
  tagLookedUp?(event: {
    readonly upstream: string;
    readonly repository: Repository;
    readonly tag: Tag;
    readonly digest?: Digest;
    /** When the upstream last confirmed it, milliseconds since the epoch. */
    readonly checkedAt?: number;
    /** What its age asks for. */
    readonly freshness?: 'answer' | 'answer-and-refresh' | 'ask';
  }): void;
  /** The upstream itself named another digest for a tag than before, or none. */
  tagMoved?(event: {
    readonly upstream: string;
    readonly repository: Repository;
    readonly tag: Tag;
    readonly digest?: Digest;
  }): void;
  /** It was looked up whether content was seen in a repository. */
  memberLookedUp?(event: {
    readonly repository: Repository;
    readonly digest: Digest;
    readonly isKnown: boolean;
  }): void;
  /** It was looked up where content is kept here. */
  copyLookedUp?(event: { readonly digest: Digest; readonly source: Hit | 'none' }): void;
  /** A manifest is in memory, and its tag fresh: it is answered without any other look. */
  readyFound?(event: {
    readonly repository: Repository;
    readonly digest: Digest;
    /** Of a tag: when the upstream last confirmed it, milliseconds since the epoch. */
    readonly checkedAt: number | undefined;
  }): void;
  /** A download begins: what it asks for, it asks for within the event. */
  fillStarting?: LastingEvent<FillName & { readonly repository: Repository }>;
  /** A download began. */
  fillStarted(event: FillName): void;
  /** A download ended: in the store; not kept, and why; or broken. */
  fillEnded(
    event: FillName & {
      readonly outcome: FillOutcome;
      /** Why it is not stored, where that is a failure. */
      readonly error?: unknown;
      /** The request that began it. */
      readonly requestId?: string | undefined;
      /** Of a stored one: its size. */
      readonly bytes?: number;
    },
  ): void;
  /** An upstream sent bytes that do not match the digest that they were asked by. */
  wrongContent?(event: UpstreamLie): void;
  /** A reader joined a download that was running. */
  joined(event: FillName): void;
  /** A downloaded blob is in the store. */
  blobStored?(event: { readonly digest: Digest; readonly size: number }): void;
  /** A manifest is in the store. */
  manifestStored?(event: { readonly digest: Digest }): void;
  /** The spool holds this many bytes now. */
  spoolChanged(event: { readonly bytes: number }): void;
  /** Files can no longer be made in the spool's directory, or can again. */
  spoolUsabilityChanged?(event: { readonly isUsable: boolean; readonly error?: unknown }): void;
  /** A stored blob was missing, short or wrong, and is fetched again. */
  repaired(): void;
  /** The store failed; the pull goes on without it. */
  storeFailed(event: { readonly operation: 'read' | 'write'; readonly error: unknown }): void;
}
