import { RegistryError } from '../oci/errors.ts';
import type { Send } from './exchange.ts';

export interface BreakerOptions {
  /** Failures in a row that open it. Default: 5. */
  readonly failures?: number;
  /** How long it stays open before one request may try, milliseconds. Default: 5,000. */
  readonly openMs?: number;
}

export type BreakerPhase = 'closed' | 'open' | 'half-open';

/** Where the breaker stands. Half-open means: one request is under way to find out. */
export interface BreakerState {
  readonly phase: BreakerPhase;
  /** Failures in a row. */
  readonly failures: number;
  /** When it opened last, milliseconds. */
  readonly openedAt: number;
}

/** What happened to a request that was admitted; `unknown` when the caller left before it was known. */
export type Outcome = 'success' | 'failure' | 'unknown';

export const closedBreaker: BreakerState = { phase: 'closed', failures: 0, openedAt: 0 };

/** The state in which a request may go out now, or undefined when none may. */
export function admitted(
  state: BreakerState,
  now: number,
  options: BreakerOptions,
): BreakerState | undefined {
  if (state.phase === 'closed') return state;
  if (state.phase === 'half-open' || now < state.openedAt + openMsOf(options)) return undefined;
  return { ...state, phase: 'half-open' };
}

/** The state after an admitted request. */
export function settled(
  state: BreakerState,
  outcome: Outcome,
  now: number,
  options: BreakerOptions,
): BreakerState {
  if (outcome === 'success') return closedBreaker;
  if (outcome === 'unknown') return state.phase === 'half-open' ? { ...state, phase: 'open' } : state;
  const failures = state.failures + 1;
  if (state.phase === 'closed' && failures < (options.failures ?? 5)) return { ...state, failures };
  return { phase: 'open', failures, openedAt: now };
}

export interface Breaker {
  readonly phase: BreakerPhase;
  /** False while a request would be refused; asking changes nothing. */
  isAdmitting(): boolean;
  /** The same requests, refused with `UNAVAILABLE` while open. Network failures and 5xx are what opens it. */
  guarded(send: Send): Send;
}

/** A breaker with a clock; `changed` hears of each new phase. */
export function breaker(
  options: BreakerOptions,
  now: () => number,
  changed: (phase: BreakerPhase) => void,
): Breaker {
  let state = closedBreaker;
  const become = (next: BreakerState): void => {
    const isChanged = next.phase !== state.phase;
    state = next;
    if (isChanged) changed(next.phase);
  };
  const settle = (outcome: Outcome) => become(settled(state, outcome, now(), options));
  return {
    get phase() {
      return state.phase;
    },
    isAdmitting: () => admitted(state, now(), options) !== undefined,
    guarded: (send) => async (ask) => {
      const next = admitted(state, now(), options);
      if (next === undefined) throw refusal(state, now(), options);
      become(next);
      try {
        const answer = await send(ask);
        settle(answer.status < 500 ? 'success' : 'failure');
        return answer;
      } catch (error) {
        settle(error instanceof RegistryError || ask.signal?.aborted === true ? 'unknown' : 'failure');
        throw error;
      }
    },
  };
}

function refusal(state: BreakerState, now: number, options: BreakerOptions): RegistryError {
  const leftMs = Math.max(0, state.openedAt + openMsOf(options) - now);
  return new RegistryError(
    'UNAVAILABLE',
    'the upstream failed several times and is left alone for a moment',
    {
      retryAfterSeconds: Math.max(1, Math.ceil(leftMs / 1000)),
    },
  );
}

function openMsOf({ openMs = 5_000 }: BreakerOptions): number {
  return openMs;
}
