import type { Retry } from '../base/time/retry.ts';

/**
 * Ways in which an image cannot be copied. The first two are transient, and retried. The others are
 * parked with their reason until the source's digest changes or 24 h are over, in which rights may
 * be granted or content pushed; refused schema 1 stays parked. A hold is read again every minute.
 */
export const failureClasses = [
  'throttled',
  'unavailable',
  'source-gone',
  'blob-unknown',
  'schema-1',
  'manifest-invalid',
  'too-large',
  'denied',
  'held',
] as const;

export type FailureClass = (typeof failureClasses)[number];

/** How often an image whose failure is doubtful is tried. In the loop that takes some minutes. */
export const doubtfulTries = 6;

interface CopyErrorOptions {
  /** How long the registry wants us to wait, in seconds. */
  readonly retryAfterSeconds?: number;
  /** Of the cause: `later` where its retries are used up; for `never` the kind decides instead. */
  readonly retry?: Retry;
  /** Default: false. */
  readonly isDoubtful?: boolean;
  readonly cause?: unknown;
}

/** An image that was not copied. The message names digest, repository and next step, no secrets. */
export class CopyError extends Error {
  override readonly name = 'CopyError';
  readonly kind: FailureClass;
  readonly retryAfterSeconds: number | undefined;
  /** Whether another try may succeed although nothing changed at the source. */
  readonly retry: Retry;
  /**
   * Of one that does not pass: whether registries have been seen to say so of an image that they
   * took minutes later. It is tried `doubtfulTries` times before it is believed.
   */
  readonly isDoubtful: boolean;

  constructor(kind: FailureClass, message: string, options: CopyErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.retryAfterSeconds = options.retryAfterSeconds;
    const passes = kind === 'throttled' || kind === 'unavailable';
    const soon = options.retry === 'later' ? 'later' : 'now';
    this.retry = passes ? soon : 'never';
    this.isDoubtful = options.isDoubtful ?? false;
  }
}
