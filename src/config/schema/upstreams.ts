import Type from 'typebox';
import { leaf } from './leaf.ts';
import { closed, count, file, host, httpUrl, ms, oneOf, pattern, section, timerMs } from './leaves.ts';

/** How long tags are believed, for every upstream that says nothing else. */
export const tagsSchema = section({
  /** A younger answer is served without a request to the upstream, in ms. Default 30 s. */
  freshMs: ms({ default: '30s' }),
  /** For this long after `freshMs`: answer, then refresh in the background, in ms. Default 30 s. */
  refreshBehindMs: ms({ default: '30s' }),
  /** The oldest answer that is served while the upstream is down, in milliseconds. Default 24 h. */
  staleMs: ms({ default: '24h' }),
  /** How long "no such tag" is remembered, in ms. Default 5 s: a promoted tag shows soon. */
  negativeMs: ms({ default: '5s' }),
  /** Tags that match one of these never move and are requested once. Default: QCI's dated tags. */
  immutable: Type.Array(pattern(), { default: ['^\\d{14}_prune_', '^\\d{8}_sha256_'] }),
  /** A tag that the upstream lost: `hide` it (default), or `keep` serving its last content. */
  gone: oneOf(['hide', 'keep'], { default: 'hide' }),
  /** Earlier meanings of a tag that are remembered. Default 20. */
  historyEntries: count({ default: 20 }),
  /**
   * How long the right to a tag covers the content that it had before it moved, in milliseconds.
   * Default 7 d: jobs continue by digest. 0: only its current content.
   */
  formerMs: ms({ default: '7d' }),
});

/** What one upstream does otherwise; absent keys are those of `tags`. */
const tagsOverride = closed({
  /** As `tags.freshMs`. */
  freshMs: Type.Optional(ms()),
  /** As `tags.refreshBehindMs`. */
  refreshBehindMs: Type.Optional(ms()),
  /** As `tags.staleMs`. */
  staleMs: Type.Optional(ms()),
  /** As `tags.negativeMs`. */
  negativeMs: Type.Optional(ms()),
  /** As `tags.immutable`, in place of that list. */
  immutable: Type.Optional(Type.Array(pattern())),
  /** As `tags.gone`. */
  gone: Type.Optional(oneOf(['hide', 'keep'])),
  /** As `tags.historyEntries`. */
  historyEntries: Type.Optional(count()),
  /** As `tags.formerMs`. */
  formerMs: Type.Optional(ms()),
});

/** Who we are to an upstream: either the two files, or the one. */
const credentials = closed({
  /** The name of the login there, alone in its file. Needs `passwordFile`. */
  usernameFile: Type.Optional(file()),
  /** The password or token of that login. */
  passwordFile: Type.Optional(file()),
  /** A docker or podman `auth.json`; the longest entry that is a prefix of the name wins. */
  authFile: Type.Optional(file()),
});

/** When a registry that fails is left alone; likewise each of its repositories. */
const breaker = section({
  /** Failures in a row after which the upstream is left alone. Default 5. */
  failures: count({ minimum: 1, default: 5 }),
  /** For how long, in milliseconds, before one request tries again. Default 5 s. */
  openMs: timerMs({ default: '5s' }),
});

/** One registry that we read from. The key above it is the host name that users write. */
export const upstreamSchema = section({
  /** Its URL. Default `https://<name>`; `docker.io` is at `https://registry-1.docker.io`. */
  url: Type.Optional(httpUrl()),
  /** The repositories to serve: `*` is any text without `/`, `**` with it. Default: all. */
  repositories: Type.Optional(
    Type.Array(leaf(parseRepositoryPattern, { description: 'a repository, with * and **' })),
  ),
  /** A one-part repository is requested under `library/`. Default: true for `docker.io` only. */
  library: Type.Optional(Type.Boolean()),
  /** Default: none, we are anonymous. */
  credentials: Type.Optional(credentials),
  /** Certificates of the authorities to trust instead of the built-in ones, PEM. */
  caFile: Type.Optional(file()),
  /** Our client certificate, PEM. Needs `keyFile`. */
  certFile: Type.Optional(file()),
  /** The key of `certFile`. */
  keyFile: Type.Optional(file()),
  /** Its HTTP proxy, or `none`. Default: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`. */
  proxy: Type.Optional(leaf(parseProxy, { description: 'a URL with http:// or https://, or none' })),
  /** Whether it, its token server and redirects may have private addresses. Default false. */
  allowPrivateAddresses: Type.Boolean({ default: false }),
  /** Hosts of token servers that its challenge may name, `host[:port]`. Default: any public. */
  realmHosts: Type.Optional(Type.Array(host())),
  /** Its other names, `host[:port]`, to which it may redirect uploads. Default: none. */
  uploadHosts: Type.Optional(Type.Array(host())),
  /** The method of token requests with a password. Default `GET`, which every server accepts. */
  tokenMethod: oneOf(['GET', 'POST'], { default: 'GET' }),
  /** Redirects followed for one blob. Default 5. */
  maxRedirects: count({ default: 5 }),
  /** Limit of connecting, TLS included, in milliseconds. Default 10 s. */
  connectTimeoutMs: timerMs({ default: '10s' }),
  /** Limit from the request to the header of its answer, in milliseconds. Default 20 s. */
  firstByteTimeoutMs: timerMs({ default: '20s' }),
  /** Longest pause within a body, in milliseconds. Default 30 s. There is no limit on the whole. */
  progressTimeoutMs: timerMs({ default: '30s' }),
  /** Further tries of one request before its first byte. Default 3. */
  retries: count({ default: 3 }),
  /**
   * Limit of a question for a manifest in all, every try and wait included, in milliseconds.
   * Default 4 s: a node's next mirror is asked after that.
   */
  manifestTimeoutMs: timerMs({ default: '4s' }),
  /** The same for a blob up to its header, and for lists, in milliseconds. Default 8 s. */
  questionTimeoutMs: timerMs({ default: '8s' }),
  /**
   * How long after content could not be delivered the manifests that lead to it are refused, so
   * that nodes pull from their next mirror; in milliseconds. Default 60 s; 0: not at all.
   */
  withholdMs: ms({ default: '60s' }),
  /**
   * Whether children of an index are fetched behind its answer: nodes do not change mirrors between
   * the two. Default: true, but not for `docker.io`, which counts manifests as pulls.
   */
  fetchChildren: Type.Optional(Type.Boolean()),
  /** Requests to it at once, downloads counted apart. Default 64. */
  maxConcurrent: count({ minimum: 1, default: 64 }),
  /** Requests that may wait for their turn; more are refused with 429. Default 1000. */
  maxQueued: count({ default: 1000 }),
  /** Requests started a second. Default: no limit. */
  requestsPerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  breaker,
  /** Default: `tags` as they are. */
  tags: Type.Optional(tagsOverride),
});

function parseRepositoryPattern(value: unknown): string {
  if (typeof value === 'string' && /^[a-z0-9*][a-z0-9*._/-]*$/.test(value)) return value;
  throw new Error('must be a repository name, in which * and ** may stand for any text');
}

function parseProxy(value: unknown): string {
  if (value === 'none') return value;
  if (typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) {
    if (new URL(value).password === '' && new URL(value).username === '') return value;
    throw new Error('must not hold a user or password');
  }
  throw new Error('must be none, or a URL that begins with http:// or https://');
}
