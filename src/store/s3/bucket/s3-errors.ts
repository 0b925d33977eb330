import { codeOf } from '../../../base/state/durable-file.ts';
import { field } from '../../../base/text/json.ts';
import { type ErrorOptions, RegistryError } from '../../../oci/errors.ts';

type S3Outcome = 'ok' | 'absent' | 'refused' | 'throttled' | 'error';

/** The cause of a failed call: no such key, a failed condition, throttling, or another failure. */
export function outcomeOf(error: unknown): Exclude<S3Outcome, 'ok'> {
  const { name, status } = factsOf(error);
  if (name === 'NoSuchKey' || name === 'NotFound' || name === 'NoSuchUpload') return 'absent';
  if (name === 'PreconditionFailed' || name === 'ConditionalRequestConflict' || status === 412)
    return 'refused';
  if (name === 'SlowDown' || name === 'TooManyRequests' || status === 503 || status === 429)
    return 'throttled';
  return 'error';
}

/** How often the SDK tried before it gave up. */
export function attemptsOf(error: unknown): number {
  return factsOf(error).attempts;
}

/**
 * The failure as `UNAVAILABLE`, or `UPSTREAM_INVALID` for an object that ends before the range.
 * Without the SDK's error, which may hold the signed request or the access key.
 */
export function s3Failure(operation: string, error: unknown): RegistryError {
  const { name, code, status, message, requestId } = factsOf(error);
  const facts = [`${operation}: ${name}`, ...(status === undefined ? [] : [`status ${status}`])];
  const text = `${facts.join(', ')}${requestId === '' ? '' : `, request ${requestId}`}: ${message}`;
  // A call that the breaker ended: what opened it. Never the SDK's own cause.
  const ours = error instanceof Error && error.cause instanceof RegistryError ? { cause: error.cause } : {};
  const cause = Object.assign(new Error(text, ours), { code });
  if (status === 416) return endsTooEarly({ cause });
  return new RegistryError('UNAVAILABLE', 'the store cannot be reached or refuses the request', { cause });
}

/** The refusal of stored content that is shorter than it should be. */
export function endsTooEarly(options: ErrorOptions): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', 'the stored content is truncated', options);
}

function factsOf(error: unknown) {
  const metadata = field(error, '$metadata');
  const status = field(metadata, 'httpStatusCode');
  const attempts = field(metadata, 'attempts');
  const name = error instanceof Error ? error.name : 'Error';
  return {
    name,
    /** The system's for a failure of the network, else that of S3. */
    code: codeOf(error) ?? name,
    message: error instanceof Error ? error.message : '',
    status: typeof status === 'number' ? status : undefined,
    attempts: typeof attempts === 'number' ? attempts : 1,
    requestId: String(field(metadata, 'requestId') ?? ''),
  };
}
