import type { IncomingHttpHeaders } from 'node:http';
import type { LastingEvent } from '../base/flow/lasting.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository } from '../oci/reference.ts';
import type { Cancellable, RegistryReader } from '../oci/registry-reader.ts';
import type { ResponseBody } from './exchange.ts';

interface ReachableOptions extends Cancellable {
  /** The manifest whose blobs are wanted, for an upstream that has some of them from elsewhere. */
  readonly manifest?: Digest;
}

export interface ForwardOptions extends Cancellable {
  readonly method: 'GET' | 'HEAD';
  /** The `Range`, `If-Range` and `If-None-Match` of the client. Default: none. */
  readonly conditions?: Readonly<Record<string, string>>;
}

/** An upstream's own answer. Read `body`, or destroy it: unread, it holds a connection. */
export interface ForwardedBlob {
  /** 200, 206, 304, or a redirect. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The target of a redirect, absolute. A signed URL grants the bytes to every holder. */
  readonly location?: URL;
  readonly body: ResponseBody;
}

/** A registry read over HTTP, with its credentials, limits, retries and breaker inside. */
export interface Upstream extends RegistryReader {
  /** False once the upstream is known to ignore `Range`: a start in the middle costs the rest. */
  readonly hasRanges: boolean;
  /** Whether it can deliver now: true after a recent answer, else one quick shared request. */
  isReachable(options?: ReachableOptions): Promise<boolean>;
  /** Whether another replica has the blob in a store of its own. Default: there is none. */
  isHeld?(repository: Repository, digest: Digest, options?: Cancellable): Promise<boolean>;
  /**
   * The upstream's own answer for a blob, to be passed on: with our login, no redirect followed, no
   * retry, unverified. Undefined for an unknown blob; `RANGE_INVALID` for a range outside.
   */
  forwardBlob(
    repository: Repository,
    digest: Digest,
    options: ForwardOptions,
  ): Promise<ForwardedBlob | undefined>;
  /**
   * Another replica's breaker opened, or closed: this one asks the registry itself before it opens
   * too, since the trouble may be that replica's own, and tries again at once where it is open.
   */
  breakerElsewhere?(isOpen: boolean): void;
  /** The registry told another replica to ask nothing of that kind for so long: this one obeys. */
  pausedElsewhere?(pause: { readonly kind: UpstreamRequestKind; readonly seconds: number }): void;
  /** Ends idle connections and timers. Requests under way fail. */
  close(): Promise<void>;
}

/** An HTTP request to an upstream, or to where it leads. */
export interface SentRequest {
  readonly upstream: string;
  readonly kind: UpstreamRequestKind;
  readonly method: string;
  readonly url: URL;
}

/** What an upstream reports while it works. All labels come from small closed sets. */
export interface UpstreamEvents {
  /** One HTTP request, until the head of its answer. Its URL may be signed. */
  requesting?: LastingEvent<SentRequest>;
  /** One HTTP request goes out. Its URL may be signed. */
  requestSent?(event: SentRequest): void;
  /** One HTTP request ended: `status` 0 is a network failure. */
  requested(event: {
    readonly upstream: string;
    readonly kind: UpstreamRequestKind;
    readonly status: number;
    readonly seconds: number;
  }): void;
  /** A request is made again, or a body resumed at a byte. */
  retried(event: { readonly upstream: string; readonly reason: 'status' | 'network' | 'resume' }): void;
  received(event: { readonly upstream: string; readonly bytes: number }): void;
  /** It sent bytes that do not match the digest that they were asked by. */
  wrongContent?(event: UpstreamLie): void;
  /** It did not answer a ping, or answers again after that. */
  reachabilityChanged?(event: {
    readonly upstream: string;
    readonly isReachable: boolean;
    readonly error?: unknown;
  }): void;
  /** A ping was answered, with the upstream's time: how far it is ahead of ours, milliseconds. */
  dated?(event: { readonly upstream: string; readonly skewMs: number }): void;
  /** The registry said in header fields how many requests it still allows, as Docker Hub does. */
  allowanceTold?(event: {
    readonly upstream: string;
    readonly limit?: string;
    readonly remaining: string;
  }): void;
  /** It answered 429 with `Retry-After`: nothing of that kind is asked for so long. */
  throttled?(event: {
    readonly upstream: string;
    readonly kind: UpstreamRequestKind;
    readonly seconds: number;
  }): void;
  breakerChanged(event: {
    readonly upstream: string;
    readonly state: 'closed' | 'open' | 'half-open';
    /** Of an open one: the last failure. */
    readonly error?: unknown;
  }): void;
}

/** What an upstream sent that is not what its digest names. */
export interface UpstreamLie {
  readonly upstream: string;
  readonly kind: 'manifest' | 'blob';
}

const upstreamKinds = ['ping', 'token', 'manifest', 'blob', 'cdn', 'tags', 'referrers', 'upload'] as const;

export type UpstreamRequestKind = (typeof upstreamKinds)[number];

/** Whether this version asks that kind of question. */
export function isUpstreamKind(value: unknown): value is UpstreamRequestKind {
  return upstreamKinds.some((kind) => kind === value);
}
