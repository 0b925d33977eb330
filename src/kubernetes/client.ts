// Room `kubernetes`: the one client of Kubernetes API servers (docs/adr/0053). In: a kubeconfig
// that is followed, and calls. Out: texts, JSON and streams, or an ApiFailure; TLS verified, no
// redirect followed. Imports: base.

import { type Dispatcher, errors } from 'undici';
import { fairTimer, unlessAborted } from '../base/time/wait.ts';
import { failureOf, parsed, textOf } from './answer.ts';
import type { Kubeconfig } from './kubeconfig.ts';
import { type ClusterLogin, createLogins } from './login.ts';
import { createPools } from './pools.ts';

/** One API server. */
export interface KubernetesClient {
  /** The body of a 200 or 201. Throws `ApiFailure`, or the reason of the call's own signal. */
  text(call: ApiCall): Promise<string>;
  /** The same, parsed; what it is, its caller knows. */
  json<Body>(call: ApiCall): Promise<Body>;
  /** The body of a 200 to a GET, streamed. Throws like `text`; silence is `slow`. */
  stream(call: StreamCall): AsyncIterable<Uint8Array>;
  /** Cuts every connection. Calls under way fail, and so do later ones. */
  close(): Promise<void>;
}

interface KubernetesClientOptions {
  readonly kubeconfig: Kubeconfig;
  /** How long one call may take, with the wait for a connection, in milliseconds. Default 3,000. */
  readonly timeoutMs?: number;
  /** Connections at a time. Default 8. */
  readonly connections?: number;
}

interface ApiCall {
  /** Default GET. */
  readonly method?: 'DELETE' | 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** Below the server's own path. */
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  /** The media type of `body`. Default `application/json`. */
  readonly contentType?: string;
  /** Failures quote the server's reason. Never where it may repeat a secret. Default false. */
  readonly quotesReason?: boolean;
  /** The media type of the answer. Default `application/json`. */
  readonly accept?: string;
  /** Changes nothing, so it is retried when a kept connection is cut. Default: true for GET. */
  readonly isRepeatable?: boolean;
  /** Default: the client's. */
  readonly timeoutMs?: number;
  /** The longest answer, in bytes. Default 1 MiB: a review with 2,000 long groups is half. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

interface StreamCall {
  readonly path: string;
  /** The longest silence, in milliseconds. */
  readonly idleMs: number;
  /** Called when the header of a 200 has come. */
  readonly opened?: () => void;
  readonly signal: AbortSignal;
}

/** A call with its limits: the signal ends it, and so does a silence of `idleMs`. */
type LimitedCall = ApiCall & { readonly signal: AbortSignal; readonly idleMs?: number };

type Read<Result> = (answer: Dispatcher.ResponseData) => Promise<Result>;

const usualMaxBytes = 1024 * 1024;

/** Asks nothing yet. */
export function createKubernetesClient(options: KubernetesClientOptions): KubernetesClient {
  const { kubeconfig, timeoutMs: usualMs = 3000, connections = 8 } = options;
  const login = createLogins(kubeconfig);
  const ending = new AbortController();
  const pools = createPools({ connections, connectTimeoutMs: usualMs });

  async function answered<Result>(call: LimitedCall, read: Read<Result>): Promise<Result> {
    const { method = 'GET', isRepeatable = method === 'GET', signal } = call;
    signal.throwIfAborted();
    const current = await unlessAborted(login(), signal);
    signal.throwIfAborted();
    const request = requestOf(call, current);
    const pool = pools.of(current);
    try {
      return await read(await pool.request(request));
    } catch (error) {
      if (!(isRepeatable && error instanceof errors.SocketError) || signal.aborted) throw error;
      // A kept connection may be cut in the very moment it is used. Its neighbours may be as dead.
      pools.retire(pool);
      return read(await pools.of(current).request(request));
    }
  }

  async function text(call: ApiCall): Promise<string> {
    const { timeoutMs = usualMs, maxBytes = usualMaxBytes, quotesReason, signal: own } = call;
    const late = new AbortController();
    using _timer = fairTimer(() => late.abort(), timeoutMs);
    const signal = AbortSignal.any([late.signal, ending.signal, ...(own === undefined ? [] : [own])]);
    try {
      return await answered({ ...call, signal }, (answer) => textOf(answer, maxBytes, quotesReason));
    } catch (error) {
      own?.throwIfAborted();
      const isLate = late.signal.aborted || error instanceof errors.ConnectTimeoutError;
      throw failureOf(error, isLate ? timeoutMs : undefined);
    }
  }

  return {
    text,
    json: async (call) => parsed(await text(call)),
    async *stream({ signal: own, opened, ...call }) {
      const signal = AbortSignal.any([ending.signal, own]);
      try {
        yield* await answered({ ...call, signal }, async (answer) => {
          if (answer.statusCode !== 200) await textOf(answer, usualMaxBytes);
          opened?.();
          return answer.body;
        });
      } catch (error) {
        own.throwIfAborted();
        const isSilent =
          error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
        throw failureOf(error, isSilent ? call.idleMs : undefined);
      }
    },
    async close() {
      ending.abort(new Error('the client of the cluster is closed'));
      await pools.close();
    },
  };
}

function requestOf(
  { method = 'GET', path, body, contentType, accept = 'application/json', signal, idleMs }: LimitedCall,
  { server, headers }: ClusterLogin,
): Dispatcher.RequestOptions {
  return {
    origin: server.origin,
    path: `${server.pathname.replace(/\/$/, '')}${path}`,
    method,
    headers: {
      accept,
      'accept-encoding': 'identity',
      'user-agent': 'quayside',
      ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
      ...headers,
    },
    body: body ?? null,
    signal,
    ...(idleMs === undefined ? {} : { headersTimeout: idleMs, bodyTimeout: idleMs }),
  };
}
