// Room `upstream/resilience`: limits, breaker, deadlines and retries of an upstream. In: requests.
// Out: requests that are spaced, refused or repeated. Imports: base, oci, upstream.

import { backoffMs } from '../../base/time/backoff.ts';
import { sleep } from '../../base/time/wait.ts';
import { RegistryError, type UpstreamReply } from '../../oci/errors.ts';
import { headerOf, isUnreadable, type UpstreamRequest, type UpstreamResponse } from '../exchange.ts';
import { noAnswerText } from './no-answer.ts';
import { replyOf } from './words.ts';

/** A failure that another try may get past, and what to say when there is none. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
  readonly reason: 'status' | 'network';
  readonly refusal: RegistryError;
  /** Another try is worth no longer wait, milliseconds. */
  readonly longestPauseMs: number;
  /** More tries after the first are worth nothing. */
  readonly mostRetries: number;

  constructor(reason: 'status' | 'network', refusal: RegistryError, limits: Partial<TryLimits> = {}) {
    super(refusal.message, { cause: refusal });
    this.reason = reason;
    this.refusal = refusal;
    this.longestPauseMs = limits.longestPauseMs ?? Number.POSITIVE_INFINITY;
    this.mostRetries = limits.mostRetries ?? Number.POSITIVE_INFINITY;
  }
}

type TryLimits = Pick<TryAgain, 'longestPauseMs' | 'mostRetries'>;

interface RequestRetryOptions {
  /** Tries after the first. */
  readonly retries: number;
  readonly random: () => number;
  readonly longestWaitSeconds?: number;
  readonly isUrgent?: boolean;
  /** A try is only worth its wait if that ends before this, by `performance.now()`. */
  readonly endsAt?: number | undefined;
  readonly retried: (reason: 'status' | 'network') => void;
  readonly signal?: AbortSignal;
}

/** A first pause is up to this long and each next one up to twice as long, milliseconds. */
const pauses = { firstMs: 250, longestMs: 5_000, jitter: 1 };
/** A longer `Retry-After` is passed to the client unless set otherwise, seconds. */
const longestClientWait = 15;
/** More than this is never passed on, seconds. */
const longestRetryAfter = 300;

/** Retries the work each time that it throws TryAgain, up to `retries` times. */
export async function retried<T>(work: () => Promise<T>, options: RequestRetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TryAgain)) throw error;
      const pauseMs = pauseBefore(error, attempt, options);
      if (attempt >= Math.min(options.retries, error.mostRetries) || pauseMs === undefined)
        throw error.refusal;
      options.retried(error.reason);
      await sleep(pauseMs, options.signal);
    }
  }
}

/** Undefined where the next try would come too late. */
function pauseBefore(
  { refusal, longestPauseMs: mostMs }: TryAgain,
  attempt: number,
  { random, longestWaitSeconds, isUrgent = false, endsAt = Number.POSITIVE_INFINITY }: RequestRetryOptions,
): number | undefined {
  if (isUrgent && refusal.code === 'TOOMANYREQUESTS') return undefined;
  const pauseMs = pauseAfter(attempt, refusal.retryAfterSeconds, random, longestWaitSeconds);
  if (pauseMs === undefined) return undefined;
  const shortMs = Math.min(pauseMs, mostMs);
  return performance.now() + shortMs < endsAt ? shortMs : undefined;
}

/**
 * The pause after a failed try, milliseconds: the upstream's `Retry-After`, else a random part of a
 * doubling span (full jitter, so that clients do not return together). Undefined above the limit.
 */
export function pauseAfter(
  attempt: number,
  retryAfterSeconds: number | undefined,
  random: () => number,
  longestWaitSeconds = longestClientWait,
): number | undefined {
  const jitterMs = backoffMs(attempt, { ...pauses, random });
  if (retryAfterSeconds === undefined) return jitterMs;
  return retryAfterSeconds > longestWaitSeconds ? undefined : retryAfterSeconds * 1000 + jitterMs;
}

/** `Retry-After` (RFC 9110 section 10.2.3), number or date, in whole seconds; at most 300. */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - now) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(longestRetryAfter, Math.max(0, seconds));
}

/** The answer; throws TryAgain for a status worth another try, which 501 is not. */
export async function orTryAgain(
  answer: UpstreamResponse,
  now: number,
  { reads }: Pick<UpstreamRequest, 'reads'> = {},
): Promise<UpstreamResponse> {
  const { status } = answer;
  const isTrouble = status >= 500 && status !== 501 && reads?.(status) !== true;
  if (status !== 429 && status !== 408 && !isTrouble) return answer;
  throw new TryAgain('status', await refusedBy(answer, now));
}

/**
 * The error of a bad status, with the start of the registry's own words. Reads the body, for a
 * second at most. 401 and 403 persist after our login; the caller handles 404.
 */
export async function refusedBy(answer: UpstreamResponse, now: number = Date.now()): Promise<RegistryError> {
  return statusRefusal(answer, await replyOf(answer), now);
}

/** The same with words that were read. */
export function statusRefusal(
  answer: UpstreamResponse,
  reply: UpstreamReply,
  now: number = Date.now(),
): RegistryError {
  const { status } = answer;
  const retryAfterSeconds = parseRetryAfter(headerOf(answer, 'retry-after'), now);
  const options = { detail: { upstreamStatus: status }, reply, retryAfterSeconds };
  if (status === 401 || status === 403)
    return new RegistryError(
      'DENIED',
      `the upstream refuses access to this repository: it answers ${status}, which means ${refusalMeans[status]}`,
      options,
    );
  if (status === 429) return new RegistryError('TOOMANYREQUESTS', 'the upstream throttles requests', options);
  if (status === 408 || status >= 500)
    return new RegistryError('UNAVAILABLE', `the upstream answers with status ${status}`, options);
  const message = `the upstream answers with the unexpected status ${status}`;
  return new RegistryError('UPSTREAM_INVALID', message, options);
}

const refusalMeans = {
  401: 'that it wants a login, or another one',
  403: 'that the login has no right to it',
} as const;

/** A failure without an answer, as TryAgain; our own refusals stay what they are. */
export function networkFailure(cause: unknown): TryAgain | RegistryError {
  if (cause instanceof RegistryError || cause instanceof TryAgain) return cause;
  const untrusted = "the upstream's certificate cannot be verified; caFile names other authorities";
  if (isCertificateFault(cause))
    return new RegistryError('UNAVAILABLE', untrusted, { cause, retry: 'later' });
  const message = isUnreadable(cause)
    ? "the upstream's answer cannot be read as HTTP"
    : `the upstream cannot be reached${noAnswerText(cause)}`;
  return new TryAgain('network', new RegistryError('UNAVAILABLE', message, { cause }));
}

function isCertificateFault(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code);
}
