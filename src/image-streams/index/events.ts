import type { FollowEvents } from '../follow.ts';
import type { StreamIndexState } from '../stream-index.ts';
import type { LookResult } from './awaited-digests.ts';
import type { BookSize } from './stream-room.ts';

/** What the index of a cluster reports. `cluster`: its name in the configuration. */
export interface StreamIndexEvents {
  /** An index follows the cluster from now on; for a while two where its settings change. */
  streamsFollowed(event: { readonly cluster: string }): void;
  /** It follows no more. */
  streamsLeft(event: { readonly cluster: string }): void;
  streamStateChanged(event: { readonly cluster: string; readonly state: StreamIndexState }): void;
  streamsSized(event: BookSize & { readonly cluster: string }): void;
  /** All streams were listed, of the namespace or of the cluster. */
  streamsListed(event: StreamPart & Parameters<FollowEvents['listed']>[0]): void;
  /** The cluster could not be listed or watched; it is asked again after a pause. */
  streamsFailed(event: StreamPart & Parameters<FollowEvents['failed']>[0]): void;
  /** A digest that nothing else explains was looked up. */
  streamLooked(event: { readonly cluster: string; readonly result: LookResult }): void;
  /** The records of the index were read, or one of them was written. */
  streamsKept(event: {
    readonly cluster: string;
    readonly operation: 'read' | 'write';
    readonly outcome: KeptOutcome;
    readonly error?: unknown;
  }): void;
}

/** Reports nothing, for an index of one command. */
export const silentStreamEvents: StreamIndexEvents = {
  streamsFollowed: () => {},
  streamsLeft: () => {},
  streamStateChanged: () => {},
  streamsSized: () => {},
  streamsListed: () => {},
  streamsFailed: () => {},
  streamLooked: () => {},
  streamsKept: () => {},
};

/**
 * `absent`: there are no records, or those of other settings or too old to count. `broken`: what
 * was read makes no sense, and counts as absent. `shared`: another replica has written the same.
 */
type KeptOutcome = 'done' | 'absent' | 'broken' | 'failed' | 'shared';

interface StreamPart {
  readonly cluster: string;
  /** Absent where all namespaces are followed together. */
  readonly namespace?: string;
}
