import type { IncomingHttpHeaders } from 'node:http';
import type { LastingEvent } from '../base/flow/lasting.ts';
import type { Hit, ReadKind } from '../cache/events.ts';
import type { ParsedRequest } from '../oci/request.ts';

/** The kind of a request, in the terms of the metrics. */
export type RequestKind = ReadKind | 'ping' | 'token' | 'other';

/** Requests with a common limit: blobs, logins, other reads, and writes. */
export type LimitName = 'read' | 'write' | 'blobs' | 'logins';

/** A request for the registry that just came, or a question for a token. */
export interface IncomingFacts {
  readonly requestId: string;
  readonly kind: RequestKind;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly isTls: boolean;
  /** The address that it comes from, as `trustedProxies` has it. */
  readonly client: string;
}

/** What became of a request. */
export interface AnsweredFacts {
  readonly status: number;
  readonly hit?: Hit | undefined;
  readonly upstream?: string | undefined;
  readonly cluster?: string | undefined;
  readonly rule?: string | undefined;
  readonly verdict?: 'allowed' | 'refused' | undefined;
  readonly bytes: number;
  /** Its code, where it was refused or failed. */
  readonly error?: string | undefined;
  readonly firstByteMs: number;
}

/** A request that is followed through all that it causes. */
interface FollowedRequest {
  /** The trace that it is part of, for its line in the log; undefined where none is recorded. */
  readonly traceId: string | undefined;
  /** Calls `serve`; what that causes is known to come from the request. */
  within(serve: () => void): void;
  /** The request is over. Calls `tell`, as the last that it causes. */
  ended(facts: AnsweredFacts, tell: () => void): void;
}

/** What the proxy reports while it works. All labels come from small closed sets. */
export interface ProxyEvents {
  /** A request came: follow it, or not. Default: it is not followed. */
  requestOpened?(event: IncomingFacts): FollowedRequest | undefined;
  /** Host, subject, upstream and right of a request are decided. */
  admitting?: LastingEvent<ParsedRequest>;
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
