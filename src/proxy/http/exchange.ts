// Room `proxy/http`: one answer on the raw response: head, body, failure, log line. In: an
// exchange. Out: bytes on a socket. Imports: base, oci, proxy/clients; types of cache, cache/fills,
// proxy, store.

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Hit } from '../../cache/events.ts';
import { noSniffing } from './nosniff.ts';

export type Headers = Readonly<Record<string, string | number | readonly string[]>>;

/** What the request log will say; filled in as the answer takes shape. */
export interface RequestFacts {
  hit?: Hit;
  /** The length of a body whose bytes are counted as the kernel takes them. */
  length?: number;
  /** When the answer's header was sent, by `performance.now`; default: the end of the request. */
  firstByteAtMs?: number;
  upstream?: string;
  subject?: string;
  /** The cluster that knows the subject; absent for a robot of ours. */
  cluster?: string;
  rule?: string;
  /** What the cluster was asked about the subject. */
  question?: string;
  verdict?: 'allowed' | 'refused';
  /** Where the verdict comes from; `none` where nothing had to be asked. */
  asked?: 'remembered' | 'asked' | 'none';
}

/** One request being answered on the raw response, past the framework. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  /** containerd's `ns`, to be echoed, if it names a configured registry (distribution-spec). */
  readonly namespace: string | undefined;
  readonly clientAddress: string;
  readonly log: RequestFacts;
  /** Body bytes were handed to the client's socket. */
  sent(bytes: number): void;
  /** The client was sent elsewhere for so many bytes. */
  redirected(bytes: number): void;
}

/** Writes the status line and the header fields, ours among them; the body is the caller's. */
export function begin(exchange: Exchange, status: number, headers: Headers): void {
  const { res, log, requestId, namespace } = exchange;
  const fields: OutgoingHttpHeaders = {
    ...headers,
    ...noSniffing,
    'docker-distribution-api-version': 'registry/2.0',
    'x-request-id': requestId,
  };
  if (log.hit !== undefined) fields['quayside-cache'] = cacheWords[log.hit];
  if (namespace !== undefined) fields['oci-namespace'] = namespace;
  log.firstByteAtMs = performance.now();
  res.writeHead(status, fields);
}

/** A whole answer from memory; a HEAD gets its head only. */
export function answer(exchange: Exchange, status: number, headers: Headers, bytes?: Uint8Array): void {
  begin(exchange, status, headers);
  const isHead = exchange.req.method === 'HEAD';
  if (bytes === undefined || isHead) {
    exchange.res.end();
  } else {
    exchange.sent(bytes.byteLength);
    exchange.res.end(bytes);
  }
}

/** True if `If-None-Match` names the content, or any by a star (RFC 9110 section 13.1.2). */
export function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((entry) => entry.trim().replace(/^W\//, '') === `"${etag}"`);
}

const cacheWords: Readonly<Record<Hit, string>> = {
  memory: 'hit; memory',
  store: 'hit; store',
  redirect: 'hit; redirect',
  joined: 'hit; joined',
  member: 'miss; member',
  stale: 'hit; stale',
  fill: 'miss; fill',
  upstream: 'miss; upstream',
  bypass: 'bypass',
};
