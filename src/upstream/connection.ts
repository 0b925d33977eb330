import { RegistryError } from '../oci/errors.ts';
import { agents } from './agents.ts';
import { breaker } from './breaker.ts';
import { credentialsFrom } from './credentials.ts';
import type { Answer, Ask, Send } from './exchange.ts';
import { gates, paced } from './limits.ts';
import { loggedIn } from './login.ts';
import type { UpstreamOptions } from './options.ts';
import { type Reachability, reachability } from './reachable.ts';
import { followed } from './redirect.ts';
import { networkFailure, orTryAgain, retried } from './retry.ts';
import { tokens } from './tokens.ts';
import { transport } from './transport.ts';
import { anySignal } from './waiting.ts';

/** The way to one upstream, with all that stands between a question and its answer. */
export interface Connection {
  /** The URL of a path such as `/v2/`, with a query or without. */
  urlOf(path: string): URL;
  /** One try: logged in, redirects followed. Throws TryAgain where another try may help. */
  once(ask: Ask): Promise<Answer>;
  /** As many tries as are set. `read` takes what it needs of the answer; a body that breaks off there is a failed try. */
  tried<T>(ask: Ask, read: (answer: Answer) => Promise<T> | T): Promise<T>;
  readonly isReachable: Reachability['isReachable'];
  close(): Promise<void>;
}

/** A connection that is made when it is first used. */
export function connection(options: UpstreamOptions): Connection {
  const { now = Date.now, random = Math.random, retries = 3 } = options;
  const base = baseOf(options.url);
  const closing = new AbortController();
  const lines = linesOf(options, base);
  const { send, isReachable } = sender(options, base, lines, closing.signal);

  const once = async (ask: Ask): Promise<Answer> => {
    const signal = anySignal(ask.signal, closing.signal);
    try {
      return orTryAgain(await send({ ...ask, signal }), now());
    } catch (error) {
      signal.throwIfAborted();
      throw networkFailure(error);
    }
  };
  return {
    urlOf: (path) => urlIn(base, path),
    once,
    tried: (ask, read) => {
      const retriedFor = (reason: 'status' | 'network') =>
        options.events?.retried({ upstream: options.name, reason });
      const signal = anySignal(ask.signal, closing.signal);
      return retried(() => readOf(once(ask), read, signal), { retries, random, retried: retriedFor, signal });
    },
    isReachable,
    async close() {
      closing.abort(new RegistryError('UNAVAILABLE', 'the service is shutting down'));
      await lines.close();
    },
  };
}

async function readOf<T>(
  asked: Promise<Answer>,
  read: (answer: Answer) => Promise<T> | T,
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
 * From the inside out: the wire, the pace, the gates, the breaker, the login, the redirects. The breaker watches the registry
 * and its token server; a CDN's failures are retried, but do not stop us from asking for manifests.
 */
function sender(
  options: UpstreamOptions,
  upstream: URL,
  lines: ReturnType<typeof agents>,
  closing: AbortSignal,
): { readonly send: Send; readonly isReachable: Reachability['isReachable'] } {
  const { name, events, now = Date.now, requestsPerSecond, maxRedirects = 5, realmHosts } = options;
  const { firstByteTimeoutMs = 20_000, progressTimeoutMs = 30_000 } = options;
  const { maxConcurrent = 64, maxQueued = 1_000, allowPrivateAddresses = false } = options;
  const wire = transport({ name, agents: lines, firstByteTimeoutMs, progressTimeoutMs, events });
  const inside = gates({ maxConcurrent, maxQueued });
  const guard = breaker(options.breaker ?? {}, now, (state) =>
    events?.breakerChanged({ upstream: name, state }),
  );
  const reach = reachability({
    url: urlIn(upstream, '/v2/'),
    send: guard.guarded(wire),
    breaker: guard,
    now,
    closing,
  });
  const limited = inside(requestsPerSecond === undefined ? wire : paced(wire, requestsPerSecond, now));
  const registry = reach.noted(guard.guarded(limited));
  const rules = { upstream, allowPrivateAddresses };
  const login = loggedIn({
    ...rules,
    send: registry,
    credentials: credentialsFrom(options.credentials, hostsOf(name, upstream)),
    realmHosts,
    tokens: tokens({ send: registry, method: options.tokenMethod ?? 'GET', now, closing }),
  });
  const send = followed({ ...rules, own: login, foreign: inside(wire), maxRedirects });
  return { send, isReachable: reach.isReachable };
}

function linesOf(options: UpstreamOptions, upstream: URL): ReturnType<typeof agents> {
  const { caFile, certFile, keyFile, proxy } = options;
  const { env = {}, allowPrivateAddresses = false, connectTimeoutMs = 10_000, realmHosts = [] } = options;
  return agents({
    upstream,
    trustedHosts: realmHosts,
    caFile,
    certFile,
    keyFile,
    proxy,
    env,
    allowPrivateAddresses,
    connectTimeoutMs,
  });
}

/** The names under which auth files know an upstream; Docker Hub goes by three. */
function hostsOf(name: string, { host }: URL): readonly string[] {
  const hosts = name === host ? [name] : [name, host];
  return name === 'docker.io' || host === 'registry-1.docker.io' ? [...hosts, 'index.docker.io'] : hosts;
}

function urlIn(base: URL, path: string): URL {
  return new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base);
}

function baseOf(text: string): URL {
  const url = new URL(text);
  url.search = '';
  url.hash = '';
  return url;
}
