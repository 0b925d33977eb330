import type { ServerResponse } from 'node:http';
import { oneLine } from '../../base/text/one-line.ts';
import { loggable } from '../../base/text/redaction.ts';
import {
  type ErrorCode,
  RegistryError,
  replyBelow,
  toRegistryError,
  type UpstreamReply,
} from '../../oci/errors.ts';
import { noSniffing } from './nosniff.ts';
import { sentence } from './sentence.ts';

/** An error as HTTP says it. */
export interface Failure {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  /** What really happened, for the log only. */
  readonly cause: unknown;
  /** What a registry answered, for the log only. */
  readonly reply?: UpstreamReply | undefined;
}

/** What the log says of a failure: what the client was told, and what it was not. */
export interface FailureFields {
  readonly message: string;
  readonly detail?: Readonly<Record<string, unknown>>;
  /** The answer of the registry, and its own words. */
  readonly upstreamStatus?: number;
  readonly upstreamSaid?: string;
  /** The deepest cause: an error of the system, of TLS, of a library. */
  readonly cause?: string;
}

interface RenderedFailure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer;
}

/** The default `Retry-After`, in seconds: without it containerd retries at once. */
const defaultRetryAfter: Readonly<Record<number, number>> = { 429: 1, 503: 5 };

/** Errors of the framework and Node's parser in our words: theirs would repeat the request's. */
const frameworkFailures: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  400: ['NAME_INVALID', 'the request is malformed'],
  404: ['NAME_UNKNOWN', 'no such end-point'],
  405: ['UNSUPPORTED', 'this method is not supported here'],
  408: ['UNAVAILABLE', 'the request took too long to arrive'],
  413: ['SIZE_INVALID', 'the body is too large'],
  414: ['NAME_INVALID', 'the path is too long'],
  415: ['UNSUPPORTED', 'this content type is not supported here'],
  431: ['HEADER_INVALID', 'the header is too large'],
  503: ['UNAVAILABLE', 'the service is shutting down'],
};

/** The only reading of an error as HTTP. Strangers become a 500 that tells nothing. */
export function failureOf(error: unknown): Failure {
  const known = frameworkStatus(error);
  return known === undefined ? registryFailure(toRegistryError(error)) : frameworkFailure(known, error);
}

/** What a status means that no RegistryError of ours chose. */
export function frameworkFailure(status: number, cause?: unknown): Failure {
  const [code, message] = frameworkFailures[status] ?? ['UNSUPPORTED', 'the request cannot be answered'];
  return { status, code, message, detail: {}, headers: {}, cause };
}

const longestCause = 300;
const deepestCause = 8;

/** The fields of log lines about a failure. */
export function failureFields({ message, detail, cause, reply }: Failure, requestId?: string): FailureFields {
  const why = causeText(cause);
  return {
    message: sentence(message, requestId),
    ...(Object.keys(detail).length > 0 && { detail: loggable(detail) }),
    ...(reply !== undefined && { upstreamStatus: reply.status }),
    ...(reply?.said !== undefined && { upstreamSaid: reply.said }),
    ...(why !== undefined && { cause: why }),
  };
}

/** The last error below that is none of ours. */
function causeText(error: unknown): string | undefined {
  let text: string | undefined;
  let cause = error;
  for (let depth = 0; cause instanceof Error && depth < deepestCause; depth += 1) {
    if (!(cause instanceof RegistryError)) text = strangerText(cause);
    cause = cause instanceof AggregateError ? cause.errors[0] : cause.cause;
  }
  return text;
}

function strangerText(error: Error): string {
  const code = 'code' in error ? `${error.code}: ` : '';
  return oneLine(`${code}${error.message || error.name}`, longestCause);
}

/** The error body of the spec (distribution-spec, "Error Codes"), and its header fields. */
export function rendered(failure: Failure, requestId?: string): RenderedFailure {
  const { status, code, message, detail, headers } = failure;
  const retryAfter = defaultRetryAfter[status];
  const identified = requestId === undefined ? detail : { ...detail, requestId };
  const error = { code, message: sentence(message, requestId), detail: identified };
  const body = Buffer.from(`${JSON.stringify({ errors: [error] })}\n`);
  return {
    status,
    body,
    headers: {
      ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
      ...headers,
      ...noSniffing,
      'content-type': 'application/json',
      'content-length': body.byteLength,
      'docker-distribution-api-version': 'registry/2.0',
      ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
    },
  };
}

/**
 * Answers on a raw response with the thrown failure, and returns it. After the header there is no
 * honest answer: it destroys the connection, so that the client sees that bytes are missing.
 */
export function writeFailure(response: ServerResponse, error: unknown, requestId: string): Failure {
  const failure = failureOf(error);
  if (response.headersSent) {
    response.destroy();
    return failure;
  }
  const { status, headers, body } = rendered(failure, requestId);
  response.writeHead(status, headers).end(body);
  return failure;
}

function registryFailure(error: RegistryError): Failure {
  const { status, code, message, detail = {}, retryAfterSeconds, cause } = error;
  const wait = retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterSeconds)) };
  const reply = replyBelow(error);
  return { status, code, message, detail, headers: { ...wait, ...error.headers }, cause, reply };
}

function frameworkStatus(error: unknown): number | undefined {
  if (error instanceof RegistryError || !(error instanceof Error) || !('code' in error)) return undefined;
  if (!String(error.code).startsWith('FST_') || !('statusCode' in error)) return undefined;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode !== 500 ? statusCode : undefined;
}
