import { RegistryError } from '../../oci/errors.ts';
import { networkFailure, TryAgain } from './retry.ts';

/** State of an upstream that has never accepted a connection. */
export interface ConnectFailure {
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** What the last try failed with. */
  readonly cause: unknown;
}

/** A silent upstream may be starting; a lost one is down for a restart, milliseconds. */
const waitMs = 3_000;

const noName = new Set(['ENOTFOUND']);
const noTls = new Set(['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_WRONG_VERSION_NUMBER']);
const noConnection = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** True when the failure is that no connection came about: it is the same for every request. */
export function hasNoConnection(error: unknown): boolean {
  const code = codeOf(error);
  return noName.has(code) || noTls.has(code) || noConnection.has(code);
}

/** What is known after one more failure; undefined when it is not about the connection. */
export function connectFailureAfter(
  cause: unknown,
  { startedAt, before }: { readonly startedAt: number; readonly before: ConnectFailure | undefined },
): ConnectFailure | undefined {
  return hasNoConnection(cause) ? { since: before?.since ?? startedAt, cause } : before;
}

/** While the breaker is open, reports the original connect error instead of "circuit open". */
export function connectRefusal(
  error: unknown,
  { since, cause }: ConnectFailure,
  now: number,
): TryAgain | RegistryError {
  const isEcho = error instanceof RegistryError && error.code === 'UNAVAILABLE';
  if (error !== cause && !isEcho) return networkFailure(error);
  const code = codeOf(cause);
  const refusal = new RegistryError('UNAVAILABLE', messageOf(code), { cause, retry: 'later' });
  const leftMs = noConnection.has(code) ? since + waitMs - now : 0;
  return leftMs > 0 && !isEcho ? new TryAgain('network', refusal, { longestPauseMs: leftMs }) : refusal;
}

function messageOf(code: string): string {
  if (noName.has(code)) return "the upstream's host name cannot be resolved";
  return noConnection.has(code)
    ? 'the upstream does not accept connections'
    : 'the upstream does not answer with TLS';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
