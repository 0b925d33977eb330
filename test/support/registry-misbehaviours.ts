import type { RecordedRequest } from './registry-double.ts';

/** A cut or a stall of blob bodies after so many bytes of the answer. */
export interface Cut {
  readonly bytes: number;
  /** How many answers; `Infinity` for all. Counts down. */
  times: number;
}

/**
 * Every way in which the double can be wrong or peculiar. All off by default; set and unset at any
 * time.
 */
export interface Misbehaviours {
  /** Sockets are destroyed without an answer. */
  down?: boolean;
  /** So many requests are dropped without an answer, then all is well. */
  dropsRequests?: number;
  /** Answers wait so long, milliseconds. */
  delayMs?: number;
  /** Answers wait for this. */
  holds?: Promise<unknown>;
  /** Heads are so much longer, in fields of 1,000 bytes. */
  headBytes?: number;
  /** A status for one kind of request; `times` counts down, for ever without. */
  status?: {
    readonly of: 'manifests' | 'blobs' | 'uploads' | 'tags' | 'referrers' | 'cdn' | 'everything';
    readonly code: number;
    /** The code in the error body. */
    readonly error?: string;
    readonly times?: number;
  };
  /** So many requests are answered 429, then all is well. */
  throttles?: number;
  /** Every so many-th request is answered 429; 2.5 is two of five. */
  throttlesEvery?: number;
  /** Refusals are HTML pages, as those of a load balancer. */
  refusesInHtml?: boolean;
  /** The `Retry-After` of refusals. */
  retryAfter?: string;

  /** This manifest is there by its tags, and not yet by its digest. */
  lagsBehind?: string;
  /** This manifest is there for a HEAD by its tags, and for nothing else. */
  headsOnly?: string;
  /** Manifests and blobs come without `Docker-Content-Digest`. */
  omitsDigestHeader?: boolean;
  /** `Docker-Content-Digest` is another one. */
  liesAboutDigest?: boolean;
  /** `Content-Length` is 10 bytes too large, and the connection ends where the bytes end. */
  liesAboutLength?: boolean;
  /** One byte of each body is wrong. */
  servesWrongBytes?: boolean;
  /** Everything in a repository is a HTML page with status 200. */
  answersHtml?: boolean;
  /** The `Content-Type` of manifests and listings. */
  wrongMediaType?: string;
  /** An unrequested `Content-Encoding`. */
  contentEncoding?: string;
  /** A `Warning` header on manifests and listings. */
  warning?: string;
  /** Bodies are gzipped, and said to be, whatever was asked for. */
  gzips?: boolean;
  /** The `Content-Length` of every HEAD is 0. */
  statesNoLength?: boolean;
  /** No `Content-Length`. */
  chunked?: boolean;
  /** Manifests come without an `ETag`. */
  omitsEtag?: boolean;

  /** A GET of a blob is redirected to the second origin. */
  redirectsBlobs?: boolean;
  /** A HEAD of a blob is redirected as its GET is. */
  redirectsHeads?: boolean;
  /** A GET of a blob is redirected to this URL. */
  redirectsTo?: string;
  /** A GET of a blob is redirected to itself. */
  redirectsInALoop?: boolean;
  /** A HEAD of a blob is answered with this status. */
  refusesBlobHead?: 401 | 403 | 405;
  /** A Range is answered with 200 and everything. */
  ignoresRange?: boolean;
  /** The connection is cut in the middle of a body. */
  dropsAfter?: Cut;
  /** Nothing more comes in the middle of a body, and the connection stays open. */
  stallsAfter?: Cut;
  /** The pace of blob bodies. */
  bytesPerSecond?: number;

  /** Pages of tags come without a link to the next one. */
  omitsLinks?: boolean;
  /** Tags come in the reverse order, from the last one, as `last` is not read. */
  reversesTags?: boolean;
  /** All tags come in one page, whatever is asked for. */
  ignoresPageSize?: boolean;
  /** What the referrers API answers instead: this text with status 200. */
  referrersText?: string;
  /** Referrers are 303 to this URL, as ghcr.io has it. */
  redirectsReferrers?: string;
  /** There is no referrers API: 404. */
  lacksReferrers?: boolean;
  /** Referrers of an unknown manifest are 400 `MANIFEST_INVALID`, as quay has it. */
  refusesUnknownReferrers?: boolean;

  /** The connection is cut after so many bytes of an upload's body, which are kept. */
  cutsUploadAfter?: Cut;
  /** No more is read of an upload's body after so many bytes, and the connection stays open. */
  stallsUploadAfter?: Cut;
  /**
   * Bytes of uploads are read to the end, thrown away and answered with this status; `times` counts
   * down, for ever without.
   */
  failsUploads?: { readonly code: number; readonly times?: number };
  /** What is pushed is answered 201 and thrown away. */
  lies201?: boolean;
  /** So many requests to upload sessions find them gone. */
  forgetsSessions?: number;
  /** `OCI-Chunk-Min-Length`: uploads must come in chunks of a multiple of this, bytes. */
  chunkMinLength?: number;
  /** A mount is answered with a session, or with this status. */
  refusesMounts?: boolean | number;
  /**
   * The `Range` of an upload that holds so many bytes; none for undefined. Default: as
   * docker-registry has it.
   */
  rangeOfUpload?: (bytes: number) => string | undefined;
  /** PATCH is answered with this status. */
  refusesPatch?: 404 | 405 | 501;
  /** A DELETE is answered with this status. */
  refusesDeletes?: number;
  /** The status of a DELETE of this tag or digest; undefined: all is well. */
  failsDelete?: (reference: string) => number | undefined;
  /** A DELETE of a tag is answered `DIGEST_INVALID`, as by docker-registry 2.8. */
  deletesNoTags?: boolean;
  /** A DELETE of a tag takes its manifest, with all tags. */
  deletesManifests?: boolean;
  /** So many PUTs of a manifest under this tag are answered 403. */
  refusesTag?: { readonly tag: RegExp; times: number };
  /** Pushes with larger bodies are answered 413, bytes. */
  mostPushedBytes?: number;
  /** So many questions for a manifest find nothing, from its PUT on; `HEAD`: every HEAD. */
  hidesManifests?: number | 'HEAD';
  /**
   * Every push of these methods is redirected once, with this status, to this origin or within the
   * registry.
   */
  redirectsPushes?: { readonly methods: readonly string[]; readonly code: number; readonly to?: string };
  /** Schema 1 manifests are refused; `with 500` as docker-registry 2.8 does it. */
  refusesSchema1?: boolean | 'with 500';
  /**
   * Where the `Location` of uploads leads: this registry by a whole URL, or another origin.
   * Default: a path.
   */
  uploadsAt?: 'absolute' | `http${string}`;

  /** Everything needs this pair by Basic authentication. */
  requiresBasic?: { readonly user: string; readonly password: string };
  /** Everything needs what the lines of its challenge ask for: one for each request. */
  challenges?: (request: RecordedRequest) => {
    readonly lines: readonly string[];
    readonly takes: (authorization: string) => boolean;
  };
  /** So many new tokens are refused, as by a server whose clock is late. */
  refusesNewTokens?: number;
  /** Everything needs a bearer token of `/token`. */
  requiresToken?: TokenRules;
}

export interface TokenRules {
  /** Who gets a token; without: every client. */
  readonly user?: string;
  readonly password?: string;
  /** A `refresh_token` that POST takes. */
  readonly identityToken?: string;
  /** `expires_in` of the answer, seconds; left out without, as quay does. */
  readonly expiresIn?: number;
  /** The token is a JWT with an `exp` this many seconds away. */
  readonly jwtSeconds?: number;
  /** POST is answered 405. */
  readonly lacksPost?: boolean;
  /** A token's key is `access_token` instead of `token`. */
  readonly isOauth?: boolean;
  /** The token endpoint's URL. Default: `/token` of the double. */
  readonly realm?: string;
  /** Tokens are issued but buy nothing: the repository is private, or does not exist. */
  readonly isPrivate?: boolean;
  /** The status of the token endpoint, instead of an answer. */
  readonly status?: number;
}
