import { createLru } from '../../base/state/lru.ts';
import { RegistryError, type UpstreamReply } from '../../oci/errors.ts';
import {
  type Dispatch,
  isUnreadable,
  repositoryOf,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../exchange.ts';
import { hasNoConnection } from './connect-failure.ts';
import { isGivenUp } from './deadline.ts';
import { noAnswerText } from './no-answer.ts';

export interface BreakerOptions {
  /** Failures in a row that open it; those of one repository open it for that one. Default: 5. */
  readonly failures?: number;
  /** How long it stays open before one request may try, milliseconds. Default: 5,000. */
  readonly openMs?: number;
}

type BreakerPhase = 'closed' | 'open' | 'half-open';

/** Where the breaker stands. Half-open means: one request is under way to find out. */
export interface BreakerState {
  readonly phase: BreakerPhase;
  readonly failures: number;
  /** When it opened last, milliseconds. */
  readonly openedAt: number;
  /** The last failure, to be named in refusals. */
  readonly last?: BreakerFailure;
}

/** A failure that counts: an answer of that status, or an error instead of one. */
export type BreakerFailure = { readonly reply: UpstreamReply } | { readonly error: unknown };

/** The outcome of an admitted request; `unknown` when the caller left before. */
type Outcome = 'success' | 'failure' | 'unknown';

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
  if (state.phase === 'closed' && failures < failuresOf(options)) return { ...state, failures };
  return { phase: 'open', failures, openedAt: now };
}

interface BreakerListener {
  /** The breaker for all has another phase; `last`: the last failure. */
  changed(phase: BreakerPhase, last?: BreakerFailure): void;
  /** Repositories fail, and it may be the registry that does: that can be asked. */
  suspected(): void;
}

export interface Breaker {
  readonly phase: BreakerPhase;
  /** False while every request would be refused; asking changes nothing. */
  isAdmitting(): boolean;
  /** The same requests, refused with `UNAVAILABLE` while open for all, or for their repository. */
  guarded(send: Dispatch): Dispatch;
  /** Opens for all: the registry itself was asked, and did not answer. */
  open(last?: BreakerFailure): void;
  /** Where it is open for all, the next request may try at once. */
  retry(): void;
}

/** Repositories of which failures are remembered. */
const mostRepositories = 1_000;

/**
 * A breaker with a clock. Connections that do not come about open it for the whole registry. A 5xx
 * or a silence may be of one repository alone: each repository has a breaker of its own, and those
 * of several, in a row, are reason to ask the registry itself. An answer that cannot be read counts
 * for nothing. A token server's trouble is the registry's, as nothing is to be had without tokens;
 * that it answers says nothing of the registry.
 */
export function createBreaker(
  options: BreakerOptions,
  now: () => number,
  listener: BreakerListener,
): Breaker {
  let whole = closedBreaker;
  const own = createLru<string, BreakerState>(mostRepositories);
  /** Failures in a row that may be of repositories. */
  let row = 0;
  const become = (next: BreakerState): void => {
    const isChanged = next.phase !== whole.phase;
    whole = next;
    if (isChanged) listener.changed(next.phase, next.last);
  };
  const settle = (outcome: Outcome, last?: BreakerFailure) =>
    become(noted(settled(whole, outcome, now(), options), last));

  function succeeded(repository: string | undefined): void {
    settle('success');
    row = 0;
    if (repository !== undefined) own.delete(repository);
  }

  function failed(repository: string | undefined, isOfRegistry: boolean, last: BreakerFailure): void {
    if (repository === undefined || isOfRegistry) {
      settle('failure', last);
      return;
    }
    const before = own.get(repository) ?? closedBreaker;
    const next = noted(settled(before, 'failure', now(), options), last);
    own.set(repository, next);
    row += 1;
    const isSuspect = next.phase === 'open' || row >= failuresOf(options) || whole.phase === 'half-open';
    if (!isSuspect || whole.phase === 'open') return;
    row = 0;
    settle('unknown');
    listener.suspected();
  }

  /** Nothing was learned of the registry, so the next request may try. */
  function leftOpen(repository: string | undefined): void {
    settle('unknown');
    const state = repository === undefined ? undefined : own.get(repository);
    if (repository !== undefined && state !== undefined)
      own.set(repository, settled(state, 'unknown', now(), options));
  }

  function admit(repository: string | undefined): void {
    const held = repository === undefined ? undefined : own.get(repository);
    const next = admitted(whole, now(), options);
    const nextOwn = held && admitted(held, now(), options);
    if (next === undefined) throw refusal(whole, now(), options);
    if (held !== undefined && nextOwn === undefined) throw refusal(held, now(), options);
    become(next);
    if (repository !== undefined && nextOwn !== undefined) own.set(repository, nextOwn);
  }

  return {
    get phase() {
      return whole.phase;
    },
    isAdmitting: () => admitted(whole, now(), options) !== undefined,
    retry() {
      if (whole.phase === 'open') whole = { ...whole, openedAt: Number.NEGATIVE_INFINITY };
    },
    open: (last) => become(noted({ ...whole, phase: 'open', openedAt: now() }, last)),
    guarded: (send) => async (ask) => {
      const repository = repositoryOf(ask.url);
      admit(repository);
      try {
        const answer = await send(ask);
        if (isTrouble(answer)) failed(repository, false, failureOf(answer));
        else if (ask.kind === 'token') leftOpen(repository);
        else succeeded(repository);
        return answer;
      } catch (error) {
        if (saysNothing(error, ask)) leftOpen(repository);
        else failed(repository, hasNoConnection(error), { error });
        throw error;
      }
    },
  };
}

/** A 501 is a well registry's word that it does not know the end-point. */
function isTrouble({ status }: { readonly status: number }): boolean {
  return status >= 500 && status !== 501;
}

function saysNothing(error: unknown, { signal }: UpstreamRequest): boolean {
  return error instanceof RegistryError || isGivenUp(signal) || isUnreadable(error);
}

function noted(state: BreakerState, last: BreakerFailure | undefined): BreakerState {
  return last === undefined ? state : { ...state, last };
}

/** The failure as an error. */
export function breakerError(last: BreakerFailure): unknown {
  if ('error' in last) return last.error;
  const { status } = last.reply;
  return Object.assign(new Error(`the last time it answered ${status}`), { code: `Status${status}` });
}

/** The registry's words stay unread: the caller that gets the answer reads them. */
function failureOf({ status, upstream }: UpstreamResponse): BreakerFailure {
  return { reply: { status, ...(upstream !== undefined && { upstream }) } };
}

function lastText(last: BreakerFailure): string {
  if ('reply' in last) return `: the last time it answered ${last.reply.status}`;
  return noAnswerText(last.error) || ': the last time it did not answer';
}

function refusal(state: BreakerState, now: number, options: BreakerOptions): RegistryError {
  const { last } = state;
  const retryAfterSeconds = Math.max(1, Math.ceil((state.openedAt + openMsOf(options) - now) / 1000));
  const message = `the circuit breaker of the upstream is open after repeated failures${last === undefined ? '' : lastText(last)}; next attempt in ${retryAfterSeconds} s`;
  return new RegistryError('UNAVAILABLE', message, {
    retryAfterSeconds,
    ...(last !== undefined && ('reply' in last ? { reply: last.reply } : { cause: last.error })),
  });
}

function failuresOf({ failures = 5 }: BreakerOptions): number {
  return failures;
}

function openMsOf({ openMs = 5_000 }: BreakerOptions): number {
  return openMs;
}
