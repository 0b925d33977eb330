import type { Digest } from '../oci/digest.ts';
import type { Repository } from '../oci/reference.ts';
import type { ImageStreamTag } from './image-stream-tag.ts';

/** A tag of an image stream that names a digest: a hint, which its author may have invented. */
export interface StreamReference extends ImageStreamTag {
  /** When the tag stopped to name the digest, ms since the epoch; absent while it does. */
  readonly until?: number;
}

/**
 * `syncing`: never read whole since the start, even if a kept record says something. `synced`: as
 * the cluster is now. `stale`: the cluster does not answer; what is known counts for
 * `streams.staleMs`. `expired`: it has not answered for longer, and nothing can be told.
 */
export type StreamIndexState = 'syncing' | 'synced' | 'stale' | 'expired';

/** A repository of an upstream, as this service calls them. */
export interface StreamPlace {
  readonly upstream: string;
  readonly repository: Repository;
}

/** What one look at a digest found. */
interface StreamLook {
  readonly named: readonly StreamReference[];
  /** Why further streams may name it, for people: as `untold` of the index, or too many do. */
  readonly untold: string | undefined;
}

/** Which image streams of a cluster name which digest of our upstreams. It gives no right. */
export interface StreamIndex {
  /** The cluster's name in the configuration. */
  readonly cluster: string;
  readonly state: StreamIndexState;
  /**
   * Why streams may be missing from it, for people: it is not `synced`, or had no room for all of
   * them. Undefined when it has them all.
   */
  readonly untold: string | undefined;
  /** True where only automation writes: `streams.trusted` as it is configured at this moment. */
  isTrusted(namespace: string): boolean;
  /**
   * Tags that name the digest in this repository, now or within `tags.formerMs`; those that name it
   * now come first. Read from memory, without waiting; none once `expired`. While `syncing`, what
   * is kept of an earlier run, for `streams.staleMs` after the cluster was last followed.
   */
  naming(place: StreamPlace, digest: Digest): readonly StreamReference[];
  /**
   * The same after one look: waits, for about 1 s at most, for changes that the watch is bringing.
   * A digest that stays unknown is not waited for again for 30 s. Sends no request of its own while
   * the watch works. Never rejects.
   */
  look(place: StreamPlace, digest: Digest): Promise<StreamLook>;
  /** Calls `changed` when references of a stream change, and when it is deleted or made anew. */
  subscribe(changed: (stream: { readonly namespace: string; readonly name: string }) => void): void;
}
