import type { IncomingHttpHeaders } from 'node:http';
import type { Bytes, Descriptor } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import type { Manifest } from '../oci/manifest.ts';
import type { Reference, Repository, Tag } from '../oci/reference.ts';
import type { ResponseBody } from './exchange.ts';

export interface Cancellable {
  readonly signal?: AbortSignal;
}

export interface ReachableOptions extends Cancellable {
  /** The manifest whose blobs are wanted, for an upstream that has some of them from elsewhere. */
  readonly manifest?: Digest;
}

export interface ManifestOptions extends Cancellable {
  /** `HEAD`: learn the descriptor only. Default `GET`. */
  readonly method?: 'GET' | 'HEAD';
  /** The entity tag of what we hold; sent as `If-None-Match`. */
  readonly etag?: string;
  /** Whether a 429 is the answer at once, and not waited out. Default: false. */
  readonly isUrgent?: boolean;
}

/** What an upstream says about a manifest. */
export type ManifestAnswer =
  /** 404: there is no such tag or digest in that repository. */
  | { readonly kind: 'absent' }
  /** 304: what `etag` names is still true. */
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'found';
      /** For a GET computed from the bytes; for a HEAD as the upstream states it. */
      readonly descriptor: Descriptor & { readonly mediaType: string };
      /** The body, at most maxManifestBytes, its digest checked; absent for a HEAD. */
      readonly bytes?: Uint8Array;
      /** What the body lists, for callers that need not read it again. */
      readonly manifest?: Manifest;
      readonly etag?: string;
      /** `Warning` header values of the upstream, to be passed on. */
      readonly warnings: readonly string[];
    };

export interface BlobOptions extends Cancellable {
  /** First byte wanted; 0 without. */
  readonly start?: number;
  /** Last byte wanted, inclusive; the end without. */
  readonly end?: number;
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
  /** Of a redirect: where the bytes are, as a whole URL. It may be signed, and then opens them to whoever has it. */
  readonly location?: URL;
  readonly body: ResponseBody;
}

/** One opened blob of an upstream. Iterate `body` once, or call `close`. */
export interface UpstreamBlob {
  /** The whole blob's size in bytes, or undefined where the upstream does not say. */
  readonly size: number | undefined;
  /**
   * The bytes from `start` to `end` as asked, never others. A broken connection is resumed below the reader's
   * feet (Range, new token, new redirect) as long as it makes progress; throws once that is hopeless.
   * Nothing is verified here.
   */
  readonly body: Bytes;
  close(): void;
}

/** One page of a listing. */
interface ListPage {
  /** The query of the upstream's `Link: …; rel="next"`, without the `?`. */
  readonly nextQuery?: string;
  readonly warnings: readonly string[];
}

/** One page of tags, in the upstream's order; names that are no tags are left out. */
export interface TagPage extends ListPage {
  readonly tags: readonly Tag[];
}

/** One page of referrers: an OCI index, as the upstream wrote it. */
export interface Page extends ListPage {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** `OCI-Filters-Applied`, when the upstream filtered. */
  readonly filtersApplied?: string;
}

/**
 * A registry that we read from, with its credentials, limits, retries and breaker inside. Every method throws
 * `RegistryError`: `UNAVAILABLE` (network, 5xx, breaker open), `TOOMANYREQUESTS` (its 429, or our own limit), `DENIED`
 * (401 or 403 after our own login), `UPSTREAM_INVALID` (it lies). A client's credential never gets here.
 */
export interface Upstream {
  /** The configured name: the host that users write, such as `quay.io`. */
  readonly name: string;
  /** False once the upstream is known to ignore `Range`; starting in the middle then costs the bytes before it. */
  readonly hasRanges: boolean;
  /** Whether it can deliver now: true if it answered within the last seconds, else one quick question (shared). */
  isReachable(options?: ReachableOptions): Promise<boolean>;
  manifest(repository: Repository, reference: Reference, options?: ManifestOptions): Promise<ManifestAnswer>;
  /** The blob's descriptor; undefined when the repository has no such blob. */
  statBlob(repository: Repository, digest: Digest, options?: Cancellable): Promise<Descriptor | undefined>;
  /** The blob's bytes; undefined when the repository has no such blob. */
  openBlob(repository: Repository, digest: Digest, options?: BlobOptions): Promise<UpstreamBlob | undefined>;
  /**
   * The upstream's own answer to one request for a blob, for a client that is to have it as it is: our login, no redirect followed,
   * nothing tried again, nothing verified. Undefined when the repository has no such blob; `RANGE_INVALID` for a range outside of it.
   */
  forwardBlob(
    repository: Repository,
    digest: Digest,
    options: ForwardOptions,
  ): Promise<ForwardedBlob | undefined>;
  /** One page of tags; undefined when there is no such repository. */
  tags(repository: Repository, query: string, options?: Cancellable): Promise<TagPage | undefined>;
  /**
   * One page of referrers; undefined when the upstream has no referrers API, or answers it with
   * anything but an index.
   */
  referrers(
    repository: Repository,
    digest: Digest,
    query: string,
    options?: Cancellable,
  ): Promise<Page | undefined>;
  /** Ends idle connections and timers. Requests under way fail. */
  close(): Promise<void>;
}

/** What an upstream reports while it works. All labels come from small closed sets. */
export interface UpstreamEvents {
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
  breakerChanged(event: { readonly upstream: string; readonly state: 'closed' | 'open' | 'half-open' }): void;
}

export type UpstreamRequestKind =
  | 'ping'
  | 'token'
  | 'manifest'
  | 'blob'
  | 'cdn'
  | 'tags'
  | 'referrers'
  | 'upload';
