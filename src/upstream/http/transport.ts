// Room `upstream/http`: one HTTP request to a registry: agents, proxies, redirects. In: a request.
// Out: an answer of whatever status. Imports: base, oci, upstream, upstream/resilience; types of
// upstream/download, upstream/helpers.

import type { Readable } from 'node:stream';
import { type Dispatcher, errors } from 'undici';
import { lasting } from '../../base/flow/lasting.ts';
import type { Downloads } from '../download/downloads.ts';
import { type Dispatch, isReplayable, type UpstreamRequest, type UpstreamResponse } from '../exchange.ts';
import { isGivenUp } from '../resilience/deadline.ts';
import type { Agents } from './agents.ts';
import type { UpstreamSettings } from './options.ts';

interface TransportOptions
  extends Pick<UpstreamSettings, 'name' | 'firstByteTimeoutMs' | 'progressTimeoutMs' | 'events'> {
  readonly agents: Agents;
  readonly downloads: Downloads;
  /** What an answer to the request may repeat and the log must not. Default: nothing. */
  readonly secretsOf?: (ask: UpstreamRequest) => Promise<readonly string[]>;
}

/** What undici may hold of a body that is read slowly, bytes. */
const highWaterMark = 256 * 1024;

/** HTTP requests. Each asks for the stored bytes (identity), and is reported when it ends. */
export function transport(options: TransportOptions): Dispatch {
  const sent = async (ask: UpstreamRequest): Promise<UpstreamResponse> => {
    const startedAt = performance.now();
    const report = (status: number): void => {
      const seconds = (performance.now() - startedAt) / 1000;
      options.events?.requested({ upstream: options.name, kind: ask.kind, status, seconds });
    };
    const { kind, method, url } = ask;
    options.events?.requestSent?.({ upstream: options.name, kind, method, url });
    try {
      const answer = await onWire(ask, options);
      report(answer.status);
      return {
        ...answer,
        upstream: options.name,
        secrets: async () => (await options.secretsOf?.(ask)) ?? [],
      };
    } catch (error) {
      if (isGivenUp(ask.signal)) ask.signal?.throwIfAborted();
      report(0);
      throw ask.signal?.aborted === true ? new Error('no answer came in time', { cause: error }) : error;
    }
  };
  const requesting = options.events?.requesting;
  if (requesting === undefined) return sent;
  return (ask) => {
    const { kind, method, url } = ask;
    return lasting(requesting, { upstream: options.name, kind, method, url }, (headers) =>
      sent({ ...ask, headers: { ...ask.headers, ...headers } }),
    );
  };
}

/** The peer may close a kept connection as we use it: no failure, retried once. */
async function onLiveSocket(
  ask: UpstreamRequest,
  dispatcher: Dispatcher,
  options: TransportOptions,
): Promise<UpstreamResponse> {
  try {
    return await dispatched(ask, dispatcher, options);
  } catch (error) {
    if (ask.method === 'POST' || !isReplayable(ask) || !wasReused(error)) throw error;
    return dispatched(ask, dispatcher, options);
  }
}

function wasReused(error: unknown): boolean {
  return error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0;
}

/** A download without a proxy uses a connection of our own: a third of the processor time. */
async function onWire(ask: UpstreamRequest, options: TransportOptions): Promise<UpstreamResponse> {
  const { agents, downloads, progressTimeoutMs, firstByteTimeoutMs } = options;
  const { dispatcher, line } = await agents.routeTo(ask.url);
  if (ask.isDownload === true && line !== undefined)
    return downloads.get({ firstByteTimeoutMs, progressTimeoutMs, ...ask, line });
  return onLiveSocket(ask, dispatcher, options);
}

async function dispatched(
  ask: UpstreamRequest,
  dispatcher: Dispatcher,
  options: TransportOptions,
): Promise<UpstreamResponse> {
  const { url, method, signal } = ask;
  const { statusCode, headers, body } = await dispatcher.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method,
    headers: { 'user-agent': 'quayside', 'accept-encoding': 'identity', ...ask.headers },
    body: bodyOf(ask),
    signal: signal ?? null,
    headersTimeout: ask.firstByteTimeoutMs ?? options.firstByteTimeoutMs,
    bodyTimeout: options.progressTimeoutMs,
    highWaterMark,
    // undici closes the connection after a HEAD, against servers that send a body: rare ones.
    reset: false,
  });
  // The reader of the body gets the error, if there is one.
  body.on('error', () => {});
  if (method === 'HEAD') body.resume();
  return { status: statusCode, headers, url, body };
}

/** undici sends any async iterable, and waits for the socket; its types name only `Readable`. */
function bodyOf({ body }: UpstreamRequest): string | Uint8Array | Readable | null {
  return body === undefined || typeof body === 'string' || body instanceof Uint8Array
    ? (body ?? null)
    : (body as Readable);
}
