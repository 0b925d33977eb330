import { shared } from '../../base/flow/single-flight.ts';
import { createOutage } from '../../base/state/outage.ts';
import { anySignal, systemClock, unlessAborted, withFairTimeout } from '../../base/time/wait.ts';
import { RegistryError, type UpstreamReply } from '../../oci/errors.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import { type Dispatch, discard, type UpstreamResponse } from '../exchange.ts';
import type { Breaker, BreakerFailure } from './breaker.ts';
import { type ConnectFailure, connectFailureAfter } from './connect-failure.ts';
import { isGivenUp } from './deadline.ts';

interface ReachabilityOptions {
  /** `/v2/` of the upstream. */
  readonly url: URL;
  readonly send: Dispatch;
  readonly breaker: Breaker;
  readonly now: () => number;
  readonly closing: AbortSignal;
  /** Whether it answers, each time that changes; with the cause of a no. */
  readonly changed?: (isReachable: boolean, error?: unknown) => void;
  /** Told by each ping how far the upstream's clock is ahead of ours, milliseconds. */
  readonly dated?: (skewMs: number) => void;
}

/** Whether the upstream can be asked now. */
export interface Reachability {
  isReachable(options?: Cancellable): Promise<boolean>;
  /** Probes the registry itself, and opens the breaker when it does not answer. */
  suspect(): void;
  /** Undefined once it has answered. */
  absence(): ConnectFailure | undefined;
  /** The same requests, their answers taken as signs of life. */
  noted(send: Dispatch): Dispatch;
}

/** A sign of life is believed for so long, unless a failure comes after it, milliseconds. */
const believedMs = 3_000;
/** A ping may take so long, milliseconds. */
const pingMs = 3_000;

/** It answered the ping, and does not work. */
class BadPing extends Error {
  readonly reply: UpstreamReply;
  readonly code: string;

  constructor({ status, upstream }: UpstreamResponse, { pathname }: URL) {
    super(`status ${status} to GET ${pathname}`);
    this.code = `Status${status}`;
    this.reply = { status, ...(upstream !== undefined && { upstream }) };
  }
}

/** It did not answer the ping in time. */
class LatePing extends Error {
  readonly code = 'Timeout';

  constructor({ pathname }: URL) {
    super(`no answer to GET ${pathname} within ${pingMs / 1000} s`);
  }
}

/** An answer below 500, also 401, proves it is up; `GET /v2/` (end-1) without a recent one. */
export function createReachability(options: ReachabilityOptions): Reachability {
  const { url, send, breaker, now, closing, changed, dated } = options;
  const outage = createOutage({ began: (error) => changed?.(false, error), ended: () => changed?.(true) });
  let answeredAt = Number.NEGATIVE_INFINITY;
  /** The last answer that was no failure, whatever came after it. */
  let heardAt = Number.NEGATIVE_INFINITY;
  let hasAnswered = false;
  let absence: ConnectFailure | undefined;
  const noted =
    (inner: Dispatch): Dispatch =>
    async (ask) => {
      const startedAt = now();
      const answer = await inner(ask).catch((error: unknown) => {
        const isOurs = error instanceof RegistryError || isGivenUp(ask.signal);
        if (!isOurs) answeredAt = Number.NEGATIVE_INFINITY;
        if (!hasAnswered) absence = connectFailureAfter(error, { startedAt, before: absence });
        throw error;
      });
      hasAnswered = true;
      absence = undefined;
      answeredAt = answer.status < 500 ? now() : Number.NEGATIVE_INFINITY;
      if (answer.status >= 500) return answer;
      heardAt = answeredAt;
      outage.worked();
      return answer;
    };
  const late = (): never => {
    throw new LatePing(url);
  };
  /** Why the last ping failed. */
  let last: BreakerFailure | undefined;
  const ping = shared(async () => {
    const control = new AbortController();
    try {
      const signal = anySignal(closing, control.signal);
      const asked = noted(send)({ kind: 'ping', method: 'GET', url, signal });
      const answer = await withFairTimeout(asked, pingMs, late, systemClock);
      discard(answer);
      const at = Date.parse(answer.headers.date ?? '');
      if (Number.isFinite(at)) dated?.(at - Date.now());
      if (answer.status >= 500) throw new BadPing(answer, url);
      return true;
    } catch (error) {
      last = error instanceof BadPing ? error : { error };
      control.abort(error);
      if (!closing.aborted) outage.failed(error);
      return false;
    }
  });
  const judged = async (): Promise<void> => {
    const startedAt = now();
    const isWell = await ping();
    // One that answers other questions meanwhile is only busy.
    if (!isWell && heardAt <= startedAt && !closing.aborted) breaker.open(last);
  };
  return {
    noted,
    suspect: () => void judged(),
    absence: () => absence,
    async isReachable({ signal } = {}) {
      if (!breaker.isAdmitting()) return false;
      if (now() - answeredAt < believedMs) return true;
      return unlessAborted(ping(), signal);
    },
  };
}
