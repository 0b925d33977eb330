import type { FailureClass } from '../failure.ts';
import type { ImageReference } from '../references/image-reference.ts';

/** Priorities: a client waits for a miss, a change was just made, a resync is periodic. */
export const priorities = ['miss', 'change', 'resync'] as const;

export type Priority = (typeof priorities)[number];

/** One image for one destination. The destination is its key: a later task replaces it. */
export interface MirrorTask {
  readonly source: ImageReference;
  readonly destination: ImageReference;
  readonly priority: Priority;
  /** Which part of us asked, such as `supplementalCIImagesService`. */
  readonly owner: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** The ImageStreamTag it came from, where it came from one. */
  readonly sourceTagRef?: { readonly namespace: string; readonly name: string; readonly tag: string };
  /** The source's digest when the task was made. */
  readonly sourceDigest?: string;
  /** What the destination held then; empty for nothing. */
  readonly currentDigest?: string;
  /** The destination is more than a day older than the source. */
  readonly stale?: boolean;
  /** Only where there is nothing: what the destination holds is never overwritten. */
  readonly fills?: true;
  /** The `traceparent` of the request that asked for it, where that one is traced. */
  readonly cause?: string;
  /** The backup pull spec for overwritten content: written once, only before an overwrite. */
  readonly backup?: ImageReference;
}

export type TaskState = 'waiting' | 'running' | 'parked';

/** A task with what became of it so far. */
export interface QueuedTask extends MirrorTask {
  readonly state: TaskState;
  readonly attempts: number;
  /** Of these, those that failed in a doubtful way. */
  readonly doubts: number;
  /** Not before, milliseconds since the epoch; infinite for what no time mends. */
  readonly notBefore: number;
  /** The last failure, for people. */
  readonly failure?: { readonly kind: FailureClass; readonly reason: string; readonly at: number };
}
