import type { Hit, ReadKind } from '../cache/events.ts';
import type { ParsedRequest } from '../oci/request.ts';

/** The kind of a request, in the terms of the metrics. */
export type RequestKind = ReadKind | 'ping' | 'token' | 'other';

/** Requests with a common limit: blobs, logins, other reads, and writes. */
export type LimitName = 'read' | 'write' | 'blobs' | 'logins';

/** What the proxy reports while it works. All labels come from small closed sets. */
export interface ProxyEvents {
  /** A request for the pull API was read. */
  parsed?(event: ParsedRequest): void;
  /** The host name that a request came to is a configured one. */
  hostFound?(event: { readonly name: string; readonly upstream?: string }): void;
  /** The subject of a request is known. */
  identified?(event: {
    readonly subject?: string;
    readonly cluster?: string;
    readonly upstream?: string;
  }): void;
  /** A rule decided whether the subject may pull. */
  decided?(event: {
    readonly rule?: string;
    readonly question?: string;
    readonly verdict?: 'allowed' | 'refused';
    readonly asked?: 'remembered' | 'asked' | 'none';
  }): void;
  /** No part can serve any more, or one can again: what each of those answered that were asked. */
  readinessChanged?(event: {
    readonly isReady: boolean;
    readonly parts: Readonly<Record<string, string>>;
  }): void;
  /** A request is over; `status` 499 means that the client left before it had the whole answer. */
  answered(event: {
    readonly kind: RequestKind;
    readonly status: number;
    /** From the request's header to the answer's, in seconds. */
    readonly firstByteSeconds: number;
    readonly totalSeconds: number;
  }): void;
  /** Body bytes went to a client, or to a redirect in our stead. */
  sent(event: { readonly source: Hit; readonly bytes: number }): void;
  /** A limit is there; how many of its requests run and wait is to be asked for. */
  limitOpened(event: {
    readonly limit: LimitName;
    readonly running: () => number;
    readonly waiting: () => number;
  }): void;
  /** A request was refused with 429. */
  limitRefused(event: { readonly limit: LimitName; readonly reason: 'queue-full' | 'waited-too-long' }): void;
  /** A client that took nothing of its answer was cut off. */
  idleClientCut(): void;
  /** A request was refused: without a credential, with a wrong one, or without the right. */
  accessRefused(event: { readonly reason: 'anonymous' | 'credential' | 'scope' | 'rights' }): void;
  /** A token was handed out. */
  tokenIssued(): void;
}
