import { anySignal, systemClock } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import { anonymous } from '../credential.ts';
import { createDownloads, type Downloads } from '../download/downloads.ts';
import { type Dispatch, headerOf, type UpstreamRequest, type UpstreamResponse } from '../exchange.ts';
import { type Agents, createAgents } from '../http/agents.ts';
import type { UpstreamSettings } from '../http/options.ts';
import { followed, targetOf } from '../http/redirect.ts';
import { transport } from '../http/transport.ts';
import { credentialsFrom } from '../login/credentials.ts';
import { authenticated } from '../login/login.ts';
import { secretsOf } from '../login/shown.ts';
import { createUpstreamTokens } from '../login/tokens.ts';
import { type Breaker, breakerError, createBreaker } from '../resilience/breaker.ts';
import { connectRefusal } from '../resilience/connect-failure.ts';
import { inTime } from '../resilience/deadline.ts';
import { limitConcurrency, rateLimited } from '../resilience/limits.ts';
import { Pauses, type ToldPause } from '../resilience/pauses.ts';
import { createReachability, type Reachability } from '../resilience/reachable.ts';
import { networkFailure, orTryAgain, retried } from '../resilience/retry.ts';

/** The way to one upstream, with all that stands between a question and its answer. */
export interface Connection {
  /** The URL of a path such as `/v2/`, with a query or without. */
  urlOf(path: string): URL;
  /** One try: logged in, redirects followed. Throws TryAgain where another try may help. */
  once(ask: UpstreamRequest): Promise<UpstreamResponse>;
  /**
   * As many tries as are set, within the time that is set for all of them. `read` takes what it
   * needs of the answer; a body that breaks off there is a failed try.
   */
  tried<T>(ask: UpstreamRequest, read: (answer: UpstreamResponse) => Promise<T> | T): Promise<T>;
  /** One try, logged in, with redirects as answers: for callers that follow them. */
  forwarded<T>(ask: UpstreamRequest, read: (answer: UpstreamResponse) => Promise<T> | T): Promise<T>;
  /** The target of an upstream's redirect; throws `UPSTREAM_INVALID` for a forbidden one. */
  targetOf(answer: UpstreamResponse): URL;
  readonly isReachable: Reachability['isReachable'];
  /** See Upstream.breakerElsewhere. */
  breakerElsewhere(isOpen: boolean): void;
  /** See Upstream.pausedElsewhere. */
  pausedElsewhere(pause: ToldPause): void;
  close(): Promise<void>;
}

interface Transports {
  readonly agents: Agents;
  readonly downloads: Downloads;
}

interface Pipeline {
  readonly send: Dispatch;
  /** The same, no redirect followed. */
  readonly own: Dispatch;
  readonly reach: Reachability;
  readonly guard: Breaker;
  readonly pauses: Pauses;
}

/** A connection that is made when it is first used. */
export function createConnection(settings: UpstreamSettings): Connection {
  const { name, now, steady, random, retries, longestWaitSeconds, events } = settings;
  const upstream = baseOf(settings.url);
  const closing = new AbortController();
  const wires: Transports = { agents: createAgents({ ...settings, upstream }), downloads: createDownloads() };
  const { send, own, reach, guard, pauses } = sender(settings, upstream, wires, closing.signal);
  const retry = {
    retries,
    random,
    longestWaitSeconds,
    retried: (reason: 'status' | 'network') => events?.retried({ upstream: name, reason }),
  };
  const tellAllowance = (answer: UpstreamResponse): void => {
    const remaining = headerOf(answer, 'ratelimit-remaining');
    if (remaining === undefined || events?.allowanceTold === undefined) return;
    const limit = headerOf(answer, 'ratelimit-limit');
    events.allowanceTold({ upstream: name, remaining, ...(limit === undefined ? {} : { limit }) });
  };
  const through =
    (send: Dispatch) =>
    async (ask: UpstreamRequest): Promise<UpstreamResponse> => {
      const signal = anySignal(ask.signal, closing.signal);
      try {
        const answer = await send({ ...ask, signal });
        tellAllowance(answer);
        return await orTryAgain(answer, now(), ask);
      } catch (error) {
        signal.throwIfAborted();
        const absence = reach.absence();
        throw absence === undefined ? networkFailure(error) : connectRefusal(error, absence, steady());
      }
    };
  const once = through(send);
  const unfollowed = through(own);
  return {
    urlOf: urlsBelow(upstream),
    once,
    tried: (ask, read) => {
      const limitMs = ask.kind === 'manifest' ? settings.manifestTimeoutMs : settings.questionTimeoutMs;
      const endsAt = limitMs === undefined ? undefined : performance.now() + limitMs;
      return inTime(limitMs, anySignal(ask.signal, closing.signal), (signal) =>
        retried(() => readOf(once({ ...ask, signal }), read, signal), { ...retry, ...ask, endsAt, signal }),
      );
    },
    forwarded: (ask, read) =>
      inTime(settings.questionTimeoutMs, anySignal(ask.signal, closing.signal), (signal) =>
        retried(() => readOf(unfollowed({ ...ask, signal }), read, signal), { ...retry, retries: 0, signal }),
      ),
    targetOf: (answer) => targetOf(answer, { ...settings, upstream }),
    isReachable: reach.isReachable,
    breakerElsewhere(isOpen) {
      if (!isOpen) guard.retry();
      else if (guard.phase === 'closed') reach.suspect();
    },
    pausedElsewhere: (pause) => pauses.elsewhere(pause),
    async close() {
      closing.abort(new RegistryError('UNAVAILABLE', 'the service is shutting down'));
      wires.downloads.close();
      await wires.agents.close();
    },
  };
}

async function readOf<T>(
  asked: Promise<UpstreamResponse>,
  read: (answer: UpstreamResponse) => Promise<T> | T,
  signal: AbortSignal,
): Promise<T> {
  const answer = await asked;
  try {
    return await read(answer);
  } catch (error) {
    answer.body.destroy();
    signal.throwIfAborted();
    throw networkFailure(error);
  }
}

/**
 * From the inside out: the wire, the pace, the adaptive limit, the gates, the breaker, the pauses,
 * the login, the redirects. The breaker watches the registry and its token server; failures of a
 * CDN are retried, but do not stop manifests.
 */
function sender(
  settings: UpstreamSettings,
  upstream: URL,
  wires: Transports,
  closing: AbortSignal,
): Pipeline {
  const { name, events, now, steady, requestsPerSecond, limit, share } = settings;
  const credentials = credentialsFrom(settings.credentials, hostsOf(name, upstream), settings.helpers);
  const wire = transport({ ...settings, ...wires, secretsOf: (ask) => secretsOf(ask, credentials.find) });
  const clock = { ...systemClock, now: steady };
  const slow =
    requestsPerSecond === undefined ? wire : rateLimited(wire, () => requestsPerSecond * share(), clock);
  const bearable = limit?.limited(slow) ?? slow;
  const inside = limitConcurrency(settings);
  const guard = createBreaker(settings.breaker, steady, {
    changed: (state, last) => {
      const isFailing = state === 'open' && last !== undefined;
      events?.breakerChanged({
        upstream: name,
        state,
        ...(isFailing ? { error: breakerError(last) } : {}),
      });
    },
    suspected: () => reach.suspect(),
  });
  const ping = { url: urlsBelow(upstream)('/v2/'), send: guard.guarded(wire) };
  const reach: Reachability = createReachability({
    ...ping,
    breaker: guard,
    now: steady,
    closing,
    changed: (isReachable, error) => events?.reachabilityChanged?.({ upstream: name, isReachable, error }),
    dated: (skewMs) => events?.dated?.({ upstream: name, skewMs }),
  });
  const pauses = new Pauses({
    ...settings,
    told: (pause) => events?.throttled?.({ upstream: name, ...pause }),
  });
  const permitted = guard.guarded(inside(bearable));
  // An adaptive limit has pauses of its own, for all that share it.
  const guarded = limit === undefined ? pauses.obeyed(permitted) : permitted;
  const login = authenticated({
    ...settings,
    upstream,
    send: reach.noted(guarded),
    credentials,
    tokens: createUpstreamTokens({ send: guarded, method: settings.tokenMethod, now, closing }),
  });
  const foreign = inside(wire);
  const guest = authenticated({
    ...settings,
    upstream,
    send: foreign,
    credentials: anonymous,
    tokens: createUpstreamTokens({ send: foreign, method: 'GET', now, closing }),
  });
  const send = followed({ ...settings, upstream, own: login, foreign, guest });
  return { send, own: login, reach, guard, pauses };
}

/** The names under which auth files know an upstream; Docker Hub goes by three. */
function hostsOf(name: string, { host }: URL): readonly string[] {
  const hosts = name === host ? [name] : [name, host];
  return name === 'docker.io' || host === 'registry-1.docker.io' ? [...hosts, 'index.docker.io'] : hosts;
}

function urlsBelow(base: URL): (path: string) => URL {
  const prefix = base.pathname.replace(/\/$/, '');
  return (path) => new URL(`${prefix}${path}`, base);
}

function baseOf(text: string): URL {
  const url = new URL(text);
  url.search = '';
  url.hash = '';
  return url;
}
