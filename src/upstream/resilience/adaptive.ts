import { Semaphore } from '../../base/flow/semaphore.ts';
import { backoffMs } from '../../base/time/backoff.ts';
import { type Clock, sleep, systemClock } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Dispatch, headerOf, isReplayable, type UpstreamResponse } from '../exchange.ts';
import { createRateLimiter } from './limits.ts';
import { parseRetryAfter } from './retry.ts';

interface AdaptiveOptions {
  /** Concurrent requests, initially and at most; uploads count apart, same limit. Default: 64. */
  readonly maxConcurrent?: number;
  /** Good answers after which one more at a time is tried. Default: 10. */
  readonly growAfter?: number;
  /** Requests per second, with bursts of one second's worth. Default: no limit. */
  readonly requestsPerSecond?: number;
  /** Requests wait for a pause up to this long, and are refused for a longer one. Default: 15. */
  readonly longestWaitSeconds?: number;
  /** From 0 to 1, for jitter. Default: Math.random. */
  readonly random?: () => number;
  /** Milliseconds since the epoch, for dates in `Retry-After`. Default: Date.now. */
  readonly now?: () => number;
  /** For pauses. Default: the system's. */
  readonly clock?: Clock;
}

/** The capacity of one registry by its answers: shared by all its users, and by no others. */
export interface AdaptiveLimit {
  /** Requests at a time, by now. */
  readonly concurrency: number;
  /** Nothing is asked before; milliseconds by the clock. */
  readonly pausedUntil: number;
  /** The same requests, delayed; `TOOMANYREQUESTS` for a pause above the limit. */
  limited(send: Dispatch): Dispatch;
}

/** What was learnt so far. */
export interface LimitState {
  readonly concurrency: number;
  /** Good answers since the last change. */
  readonly good: number;
  /** Throttled answers in a row while there was one request at a time. */
  readonly streak: number;
  /** Requests up to this number were sent before the last halving, and say nothing new. */
  readonly halvedAt: number;
  readonly pausedUntil: number;
}

interface LimitObservation {
  readonly status: number;
  readonly retryAfterSeconds?: number;
  /** The request's number in order of sending, and that of the last one sent. */
  readonly sent: number;
  readonly lastSent: number;
}

type AdaptiveSettings = Required<Omit<AdaptiveOptions, 'requestsPerSecond'>>;

const defaults = {
  maxConcurrent: 64,
  growAfter: 10,
  longestWaitSeconds: 15,
  random: Math.random,
  now: Date.now,
  clock: systemClock,
} satisfies AdaptiveOptions;

/** A first pause without `Retry-After` is up to this long, each next up to twice as long, ms. */
const pauses = { firstMs: 50, longestMs: 5_000, jitter: 1 };

/** A limit that has learnt nothing yet. */
export function createAdaptiveLimit(options: AdaptiveOptions = {}): AdaptiveLimit {
  const settings: AdaptiveSettings = { ...defaults, ...options };
  let pace: LimitState = {
    concurrency: settings.maxConcurrent,
    good: 0,
    streak: 0,
    halvedAt: 0,
    pausedUntil: 0,
  };
  let lastSent = 0;
  const permits = () => pace.concurrency;
  const uploads = new Semaphore({ permits });
  const questions = new Semaphore({ permits });
  const { requestsPerSecond } = options;
  const beat =
    requestsPerSecond === undefined ? undefined : createRateLimiter(() => requestsPerSecond, settings.clock);
  const noted = (answer: UpstreamResponse, sent: number): UpstreamResponse => {
    pace = adapted(pace, { ...newsOf(answer, settings.now()), sent, lastSent }, settings);
    return answer;
  };
  return {
    get concurrency() {
      return pace.concurrency;
    },
    get pausedUntil() {
      return pace.pausedUntil;
    },
    limited: (send) => async (ask) => {
      const leave = await (isReplayable(ask) ? questions : uploads).acquire(ask.signal);
      try {
        await beat?.(ask.signal);
        await passed(() => pace.pausedUntil, settings, ask.signal);
        lastSent += 1;
        const sent = lastSent;
        return noted(await send(ask), sent);
      } finally {
        leave();
      }
    },
  };
}

/**
 * Additive increase, multiplicative decrease. Requests that were under way at a halving do not
 * halve again. Where one at a time is still too much and no `Retry-After` says how long, all pause.
 */
export function adapted(pace: LimitState, news: LimitObservation, options: AdaptiveSettings): LimitState {
  if (!isThrottled(news)) return news.status < 500 ? grown(pace, options) : pace;
  const now = options.clock.now();
  const isNew = news.sent > pace.halvedAt;
  const isAtFloor = pace.concurrency === 1 && isNew && news.retryAfterSeconds === undefined;
  const floorMs = backoffMs(pace.streak, { ...pauses, random: options.random });
  const pauseMs = isAtFloor ? floorMs : (news.retryAfterSeconds ?? 0) * 1000;
  return {
    concurrency: isNew ? Math.max(1, Math.floor(pace.concurrency / 2)) : pace.concurrency,
    good: 0,
    streak: isAtFloor ? pace.streak + 1 : pace.streak,
    halvedAt: isNew ? news.lastSent : pace.halvedAt,
    pausedUntil: pauseMs > 0 ? Math.max(pace.pausedUntil, now + pauseMs) : pace.pausedUntil,
  };
}

function grown(pace: LimitState, { growAfter, maxConcurrent }: AdaptiveSettings): LimitState {
  const good = pace.good + 1;
  if (good < growAfter || pace.concurrency >= maxConcurrent) return { ...pace, good, streak: 0 };
  return { ...pace, concurrency: pace.concurrency + 1, good: 0, streak: 0 };
}

/** A 503 throttles only with a `Retry-After`; otherwise fewer requests may not help. */
function isThrottled({ status, retryAfterSeconds }: LimitObservation): boolean {
  return status === 429 || (status === 503 && retryAfterSeconds !== undefined);
}

function newsOf(
  answer: UpstreamResponse,
  now: number,
): Pick<LimitObservation, 'status' | 'retryAfterSeconds'> {
  const retryAfterSeconds = parseRetryAfter(headerOf(answer, 'retry-after'), now);
  return { status: answer.status, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
}

/** Waits for the end of the pause, which may be put off meanwhile. */
async function passed(
  pausedUntil: () => number,
  { longestWaitSeconds, clock }: AdaptiveSettings,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let leftMs = pausedUntil() - clock.now(); leftMs > 0; leftMs = pausedUntil() - clock.now()) {
    const retryAfterSeconds = Math.ceil(leftMs / 1000);
    const message = `the upstream throttles; next attempt in ${retryAfterSeconds} s`;
    if (retryAfterSeconds > longestWaitSeconds)
      throw new RegistryError('TOOMANYREQUESTS', message, { retryAfterSeconds });
    await sleep(leftMs, signal, clock);
  }
}
