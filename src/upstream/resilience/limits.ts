import { Semaphore } from '../../base/flow/semaphore.ts';
import { type Clock, sleep } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Dispatch, isReplayable, type UpstreamRequest } from '../exchange.ts';

interface ConcurrencyOptions {
  readonly maxConcurrent: number;
  readonly maxQueued: number;
  /** The part of `maxConcurrent` that is this process's, from 0 to 1. */
  readonly share: () => number;
}

/**
 * Limits requests until their bodies have ended, in three groups: downloads, uploads and everything
 * else, so that long bodies never hold up a question, nor an upload the download that feeds it.
 */
export function limitConcurrency(options: ConcurrencyOptions): (send: Dispatch) => Dispatch {
  const { maxConcurrent, maxQueued, share } = options;
  const permits = (): number => permitsOf(maxConcurrent, share());
  const limit = { permits, maxWaiting: maxQueued, full: crowded };
  const downloads = new Semaphore(limit);
  const uploads = new Semaphore(limit);
  const questions = new Semaphore(limit);
  const gateOf = (ask: UpstreamRequest): Semaphore => {
    if (!isReplayable(ask)) return uploads;
    const isDownload = ask.method === 'GET' && (ask.kind === 'blob' || ask.kind === 'cdn');
    return isDownload ? downloads : questions;
  };
  return (send) => async (ask) => {
    const leave = await gateOf(ask).acquire(ask.signal);
    try {
      const answer = await send(ask);
      if (answer.body.closed) leave();
      else answer.body.once('close', leave);
      return answer;
    } catch (error) {
      leave();
      throw error;
    }
  };
}

/** How many requests at once a process may make that has this part of the limit, from 0 to 1. */
export function permitsOf(maxConcurrent: number, share: number): number {
  return Math.max(1, Math.ceil(maxConcurrent * share));
}

/** The turn of one more request. `nextAt`: of the one before, milliseconds. */
export function turnAfter(
  nextAt: number,
  now: number,
  requestsPerSecond: number,
): { readonly nextAt: number; readonly waitMs: number } {
  const stepMs = 1000 / requestsPerSecond;
  const next = Math.max(nextAt, now) + stepMs;
  return { nextAt: next, waitMs: Math.max(0, next - now - Math.max(1000, stepMs)) };
}

/** The same requests, spread out to so many a second, with bursts of one second's worth. */
export function rateLimited(send: Dispatch, requestsPerSecond: () => number, clock: Clock): Dispatch {
  const turn = createRateLimiter(requestsPerSecond, clock);
  return async (ask) => {
    await turn(ask.signal);
    return send(ask);
  };
}

/** Resolves so many times a second, after bursts of one second's worth. */
export function createRateLimiter(
  requestsPerSecond: () => number,
  clock: Clock,
): (signal?: AbortSignal) => Promise<void> {
  let nextAt = 0;
  return async (signal) => {
    const turn = turnAfter(nextAt, clock.now(), requestsPerSecond());
    nextAt = turn.nextAt;
    if (turn.waitMs > 0) await sleep(turn.waitMs, signal, clock);
  };
}

function crowded(): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', 'too many requests wait for the upstream', {
    retryAfterSeconds: 2,
  });
}
