import type { MemoryRoom } from '../../cache/blobs/content-memory.ts';
import type { EvictionInput } from '../../cache/eviction/plan.ts';
import type { TagPolicy } from '../../cache/records/freshness.ts';

/** Replicas with all that decides what they ask for and keep. */
export interface SimulatedFleet {
  readonly replicas: number;
  /** One bucket for all, or a directory of each. */
  readonly medium: 's3' | 'filesystem';
  /** What the bucket, or each directory, may hold, bytes; undefined: nothing is ever evicted. */
  readonly mediumBytes: number | undefined;
  /** What the disk of each replica before the bucket may hold, bytes; undefined: there is none. */
  readonly diskBytes: number | undefined;
  readonly memory: MemoryRoom;
  readonly eviction: Pick<EvictionInput, 'highPercent' | 'lowPercent' | 'graceMs'> & {
    /** Pause between two looks at the size, milliseconds. */
    readonly everyMs: number;
  };
  readonly tags: TagPolicy;
  readonly upstream: UpstreamBudget;
}

/** How a fleet asks its upstream. */
export interface UpstreamBudget {
  readonly name: string;
  readonly maxConcurrent: number;
  readonly maxQueued: number;
  readonly requestsPerSecond: number | undefined;
  /** Tries after the first. */
  readonly retries: number;
}

/** What is around the replicas. Rates are bytes a second, and may be infinite. */
export interface SimulatedSite {
  /** From an upstream's request to the first byte of its answer, milliseconds. */
  readonly upstreamLatencyMs: number;
  readonly linkBytesPerSecond: number;
  /** Of one download. */
  readonly streamBytesPerSecond: number;
  /** Of one body to a node, or between replicas. */
  readonly clientBytesPerSecond: number;
  /** Of one body from S3. */
  readonly s3BytesPerSecond: number;
  /** More requests a second are answered 429. */
  readonly upstreamAllows: number | undefined;
  /** What such an answer says. */
  readonly retryAfterSeconds: number;
  /** What each node keeps of images, bytes. */
  readonly nodeBytes: number;
  /** How long a node lives, milliseconds. */
  readonly nodeLivesMs: number;
  /** Requests that each node makes at a time. */
  readonly perNode: number;
  /** Decides which replica a request comes to, and when each replica looks at the size. */
  readonly seed: number;
}
