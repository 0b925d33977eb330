import { RegistryError } from '../../../oci/errors.ts';
import type { ClusterEvents } from '../cluster.ts';

/** In which way a cluster did not answer. */
export type FailureKind = NonNullable<Parameters<ClusterEvents['reviewed']>[0]['failure']>;

export interface FailureFacts {
  /** Of the answer, where there was one. */
  readonly status?: number;
  /** The cluster's own wish, in seconds. */
  readonly retryAfterSeconds?: number;
  /** The failure below, for the log; never one whose text may quote what was sent. */
  readonly cause?: unknown;
}

/** A question to a cluster that was not answered: neither a yes nor a no. Its message names no cluster. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly kind: FailureKind;
  readonly status: number | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(kind: FailureKind, message: string, { status, retryAfterSeconds, cause }: FailureFacts = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const defaultRetryAfterSeconds = 5;
const mostRetryAfterSeconds = 60;

/** What a client is told of it: `UNAVAILABLE`, with `Retry-After`. */
export function unavailable(cluster: string, failure: ApiFailure): RegistryError {
  const wish = failure.retryAfterSeconds ?? defaultRetryAfterSeconds;
  return new RegistryError('UNAVAILABLE', `cluster ${cluster} ${failure.message}`, {
    detail: { cluster, failure: failure.kind },
    retryAfterSeconds: Math.min(Math.max(wish, 1), mostRetryAfterSeconds),
    cause: failure.cause ?? failure,
  });
}
