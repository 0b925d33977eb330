import type { Retry } from '../base/time/retry.ts';

/**
 * Every failure of a request, and its HTTP status: the codes of the OCI distribution spec 1.1
 * ("Error Codes"), and, below them, those that registries add.
 */
const statusOf = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DENIED: 403,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  TOOMANYREQUESTS: 429,
  UNAUTHORIZED: 401,
  UNSUPPORTED: 405,

  HEADER_INVALID: 400,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  TAG_INVALID: 404,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
  UPSTREAM_INVALID: 502,
} as const;

export type ErrorCode = keyof typeof statusOf;

/** Whether this version knows the code. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(statusOf, code);
}

/** A registry's own answer to a request of ours, for the log. */
export interface UpstreamReply {
  /** The configured name of the registry. */
  readonly upstream?: string;
  readonly status: number;
  /** Its own words: one line of bounded length, without a credential. */
  readonly said?: string;
}

export interface ErrorOptions {
  /** Facts for the client, in `errors[].detail`. Never a credential, never an internal address. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
  /** The failure below this one, for the log only. */
  readonly cause?: unknown;
  /** What a registry answered, for the log only. */
  readonly reply?: UpstreamReply | undefined;
  /** How long the client should wait, in seconds; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined;
  /** Header fields that belong to this refusal, such as `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: `now` for statuses from 500 and for 429, else `never`. */
  readonly retry?: Retry;
}

/** The one error that crosses module borders. Its message is one clause that a client may read. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, unknown>> | undefined;
  readonly reply: UpstreamReply | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly retry: Retry;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail;
    this.reply = options.reply;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.headers = options.headers ?? {};
    this.retry = options.retry ?? (this.status >= 500 || this.status === 429 ? 'now' : 'never');
  }

  /** The HTTP status that says this. */
  get status(): number {
    return statusOf[this.code];
  }
}

/** Any thrown value as a RegistryError: others become `UNKNOWN`, and their text stays internal. */
export function toRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  return new RegistryError('UNKNOWN', 'the request could not be answered; the log has the reason', {
    cause: error,
  });
}

const deepestCause = 8;

/** What a registry answered, of the error or of what caused it. */
export function replyBelow(error: unknown): UpstreamReply | undefined {
  let cause = error;
  for (let depth = 0; cause instanceof Error && depth < deepestCause; depth += 1) {
    if (cause instanceof RegistryError && cause.reply !== undefined) return cause.reply;
    cause = cause.cause;
  }
  return undefined;
}

/** Whether that is a clear no: there is no such manifest, or no such repository. */
export function isNotFound(error: unknown): boolean {
  return (
    error instanceof RegistryError && (error.code === 'MANIFEST_UNKNOWN' || error.code === 'NAME_UNKNOWN')
  );
}
