import type { CredentialHelpers } from '../helpers/helpers.ts';
import type { AdaptiveLimit } from '../resilience/adaptive.ts';
import type { BreakerOptions } from '../resilience/breaker.ts';
import type { UpstreamEvents } from '../upstream.ts';

/** Where the credentials of an upstream are kept. Files are read again when they change. */
export type UpstreamCredentialFiles =
  /** One user for everything; a line end after the secret is not part of it. */
  | { readonly usernameFile: string; readonly passwordFile: string }
  /** A docker or podman auth file; the longest `host/repository` prefix wins. */
  | { readonly authFile: string };

export interface UpstreamOptions {
  /** The host that users write, such as `quay.io`; also the name in auth files. */
  readonly name: string;
  /** Where it answers, such as `https://quay.io`; `http:` is plain HTTP. */
  readonly url: string;
  /** Default: anonymous. */
  readonly credentials?: UpstreamCredentialFiles;
  /** Programs that have logins, of which an auth file may name some. Default: none is run. */
  readonly helpers?: CredentialHelpers;
  /** PEM of the authorities to trust instead of the built-in ones. */
  readonly caFile?: string;
  /** Whether TLS is verified. False only for a command of a user who asks for it. Default: true. */
  readonly verifyTls?: boolean;
  /** PEM of a client certificate, shown to this upstream only. Needs `keyFile`. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** The URL of a proxy for all its requests, or `none`. Default: as the environment says. */
  readonly proxy?: string;
  /** The environment: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`, in either case. Default: empty. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Allow redirects and token servers at private and link-local addresses. Default: false. */
  readonly allowPrivateAddresses?: boolean;
  /** Hosts of token servers (with an unusual port). Default: every public one. */
  readonly realmHosts?: readonly string[];
  /**
   * Hosts (with a port where it is not the usual one) to which the registry may lead an upload
   * beside its own: another name of it. They get our login and the bytes. Default: none.
   */
  readonly uploadHosts?: readonly string[];
  /** The method of token requests with a password; identity tokens are posted. Default: `GET`. */
  readonly tokenMethod?: 'GET' | 'POST';
  /** Redirects followed for one request. Default: 5. */
  readonly maxRedirects?: number;
  /** Until a connection stands, TLS included, milliseconds. Default: 10,000. */
  readonly connectTimeoutMs?: number;
  /** From the request to the head of its answer, milliseconds. Default: 20,000. */
  readonly firstByteTimeoutMs?: number;
  /** Between two pieces of a body while we wait for one, milliseconds. Default: 30,000. */
  readonly progressTimeoutMs?: number;
  /**
   * A body that stops is asked for on another connection after this; the next in a row that brings
   * nothing is waited for twice as long, up to `progressTimeoutMs`. Milliseconds, default: 3,000.
   */
  readonly stallTimeoutMs?: number;
  /** Tries after the first before an answer's first byte. Default: 3. */
  readonly retries?: number;
  /**
   * Limit of a question for a manifest in all, its tries and the waits between them, milliseconds.
   * The breaker counts it as a failure. Default: none.
   */
  readonly manifestTimeoutMs?: number;
  /** The same for every other question, up to the head of its answer. Default: none. */
  readonly questionTimeoutMs?: number;
  /** The longest `Retry-After` that is waited for, seconds. Default: 15. */
  readonly longestWaitSeconds?: number;
  /** Tries to resume a broken body without one new byte in between. Default: 5. */
  readonly resumes?: number;
  /** Requests at a time; downloads count apart, so as not to delay a HEAD. Default: 64. */
  readonly maxConcurrent?: number;
  /** Requests that may wait for their turn. Default: 1,000. */
  readonly maxQueued?: number;
  /** Requests per second to the registry itself, its CDN not counted. Default: no limit. */
  readonly requestsPerSecond?: number;
  /** The part of the two limits above that is this process's, from 0 to 1. Default: all of it. */
  readonly share?: () => number;
  /** Adapts to what the registry accepts; share one for one registry. Default: none. */
  readonly limit?: AdaptiveLimit;
  readonly breaker?: BreakerOptions;
  readonly events?: UpstreamEvents;
  /** From 0 to 1, for jitter. Default: Math.random. */
  readonly random?: () => number;
  /** Milliseconds since the epoch. Default: Date.now. */
  readonly now?: () => number;
}

const defaults = {
  env: {},
  allowPrivateAddresses: false,
  tokenMethod: 'GET',
  maxRedirects: 5,
  connectTimeoutMs: 10_000,
  firstByteTimeoutMs: 20_000,
  progressTimeoutMs: 30_000,
  stallTimeoutMs: 3_000,
  retries: 3,
  longestWaitSeconds: 15,
  resumes: 5,
  maxConcurrent: 64,
  maxQueued: 1_000,
  breaker: {},
  share: () => 1,
  random: Math.random,
  now: Date.now,
} satisfies Partial<UpstreamOptions>;

/** The options with every default in its place. */
export type UpstreamSettings = UpstreamOptions &
  Required<Pick<UpstreamOptions, keyof typeof defaults>> & {
    /** For pauses, milliseconds since some point in time: `now` goes back where a clock is set. */
    readonly steady: () => number;
  };

/** Fills in the defaults. */
export function settingsOf(options: UpstreamOptions): UpstreamSettings {
  return { ...defaults, ...options, steady: options.now ?? (() => performance.now()) };
}
