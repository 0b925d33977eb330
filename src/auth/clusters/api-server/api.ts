import { type Dispatcher, errors, Pool, ProxyAgent } from 'undici';
import { ApiFailure } from './failure.ts';
import type { Login, Logins } from './login.ts';

export interface ApiOptions {
  readonly logins: Logins;
  /** How long one request may take, with the wait for a connection, in milliseconds. */
  readonly timeoutMs: number;
  /** Connections at a time. */
  readonly connections: number;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST';
  /** Below the server's own path. */
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  /** The media type of the answer. Default `application/json`. */
  readonly accept?: string;
}

/** An API server, over connections that are kept. */
export interface Api {
  /** The body of a 200 or 201. Every other end is an `ApiFailure`; nothing that was sent is in it. */
  send(request: ApiRequest): Promise<string>;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/** The longest answer that is read, in bytes: a review with 2,000 groups of the longest names has half of it. */
const maxResponseSize = 1024 * 1024;
/** An idle connection is kept for so long, and given up before a load balancer on the way cuts it, in milliseconds. */
const keepAliveTimeout = 25_000;

/** Connections are made again when the login's TLS changes; what runs on the old ones ends in peace. */
export function api({ logins, timeoutMs, connections }: ApiOptions): Api {
  let current: { readonly key: string; readonly dispatcher: Dispatcher } | undefined;
  const all = new Set<Dispatcher>();
  const ending = new AbortController();

  function retire(dispatcher: Dispatcher): void {
    if (current?.dispatcher === dispatcher) current = undefined;
    const forget = () => all.delete(dispatcher);
    dispatcher.close().then(forget, forget);
  }

  function dispatcherFor(login: Login): Dispatcher {
    const { server, proxy, tls } = login;
    const key = JSON.stringify([server.origin, proxy, tls]);
    if (current?.key === key) return current.dispatcher;
    if (current !== undefined) retire(current.dispatcher);
    const dispatcher = dispatcherOf(login, { connections, timeoutMs });
    all.add(dispatcher);
    current = { key, dispatcher };
    return dispatcher;
  }

  async function exchange(request: ApiRequest, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const login = await within(logins(), signal);
    signal.throwIfAborted();
    const dispatcher = dispatcherFor(login);
    try {
      return await answered(dispatcher, login, request, signal);
    } catch (error) {
      if (!(error instanceof errors.SocketError) || signal.aborted) throw error;
      // Reviews change nothing, and a kept connection may be cut in the very moment it is used. Its neighbours may be as dead.
      if (current?.dispatcher === dispatcher) retire(dispatcher);
      return answered(dispatcherFor(login), login, request, signal);
    }
  }

  return {
    async send(request) {
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        return await exchange(request, AbortSignal.any([timeout, ending.signal]));
      } catch (error) {
        throw failureOf(error, timeout.aborted, timeoutMs);
      }
    },
    async close() {
      ending.abort(new Error('the cluster is no longer asked'));
      await Promise.all([...all].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function dispatcherOf(
  { server, proxy, tls }: Login,
  { connections, timeoutMs }: { readonly connections: number; readonly timeoutMs: number },
): Dispatcher {
  const keepAlive = { keepAliveTimeout, keepAliveMaxTimeout: keepAliveTimeout };
  const common = { connections, ...keepAlive, maxResponseSize, allowH2: false };
  const secure = { ...tls, allowH2: false, timeout: timeoutMs };
  if (proxy === undefined) return new Pool(server.origin, { ...common, connect: secure });
  return new ProxyAgent({ ...common, uri: proxy, requestTls: secure, connectTimeout: timeoutMs });
}

async function answered(
  dispatcher: Dispatcher,
  { server, headers }: Login,
  { method, path, body, accept = 'application/json' }: ApiRequest,
  signal: AbortSignal,
): Promise<string> {
  const answer = await dispatcher.request({
    origin: server.origin,
    path: `${server.pathname.replace(/\/$/, '')}${path}`,
    method,
    headers: {
      accept,
      'accept-encoding': 'identity',
      'user-agent': 'quayside',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body ?? null,
    signal,
  });
  const text = await answer.body.text();
  const { statusCode: status } = answer;
  if (status === 200 || status === 201) return text;
  throw refusal(status, answer.headers['retry-after']);
}

function refusal(status: number, retryAfter: string | readonly string[] | undefined): ApiFailure {
  if (status === 401 || status === 403) {
    const remedy = status === 401 ? 'it does not accept our credentials' : 'bind system:auth-delegator to us';
    return new ApiFailure('not-allowed-to-ask', `does not let us ask (${status}): ${remedy}`, { status });
  }
  const isSeconds = typeof retryAfter === 'string' && /^\d{1,6}$/.test(retryAfter);
  return new ApiFailure('status', `answered with status ${status}`, {
    status,
    ...(isSeconds ? { retryAfterSeconds: Number(retryAfter) } : {}),
  });
}

function failureOf(error: unknown, isLate: boolean, timeoutMs: number): ApiFailure {
  if (error instanceof ApiFailure) return error;
  if (error instanceof errors.ResponseExceededMaxSizeError)
    return new ApiFailure('invalid', 'answered with more than a review can hold', { cause: error });
  return isLate || error instanceof errors.ConnectTimeoutError
    ? new ApiFailure('slow', `did not answer within ${timeoutMs} ms`, { cause: error })
    : new ApiFailure('unreachable', 'cannot be reached', { cause: error });
}

/** The promise's end, or the signal's if that comes first. */
function within<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
