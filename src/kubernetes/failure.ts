/** How an API server failed: slow, unreachable, by a status, a refusal, or its answer. */
export type FailureKind = 'slow' | 'unreachable' | 'status' | 'not-allowed-to-ask' | 'invalid';

interface FailureFacts {
  /** Of the answer, where there was one. */
  readonly status?: number;
  /** `Retry-After` of the answer, in seconds. */
  readonly retryAfterSeconds?: number;
  /** The failure below, for the log; never one whose text may quote what was sent. */
  readonly cause?: unknown;
}

/** A call without a usable answer: neither yes nor no. Its texts hold nothing that was sent. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly kind: FailureKind;
  /** The message without its subject, for messages that name the cluster. */
  readonly predicate: string;
  readonly status: number | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(kind: FailureKind, predicate: string, { status, retryAfterSeconds, cause }: FailureFacts = {}) {
    super(`the API server ${predicate}`, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.predicate = predicate;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The call's answer; undefined when the server refused it with this status. */
export async function unless<Value>(status: number, call: Promise<Value>): Promise<Value | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ApiFailure && error.status === status) return undefined;
    throw error;
  }
}
