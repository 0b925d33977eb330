import Type from 'typebox';
import { closed, file, oneOf, seconds, section, text } from './leaves.ts';

/** Whom we let in by name: an htpasswd file of many, or one pair. */
const robots = closed({
  /** Lines of `name:hash`, as `htpasswd -B` writes them. */
  htpasswdFile: Type.Optional(file()),
  usernameFile: Type.Optional(file()),
  passwordFile: Type.Optional(file()),
});

/** What we are under one host name. The key above it is the name, `name:port`, or `*` for every other. */
export const hostSchema = section({
  /** Who may read: anyone (`none`, default), known `robots` by Basic or token, or whom a `cluster` knows and its RBAC lets. */
  auth: oneOf(['none', 'robots', 'cluster'], { default: 'none' }),
  /** The upstream that this host name stands for. Default: the first path segment decides, then `defaultUpstream`. */
  upstream: Type.Optional(text()),
  /** Required under `auth: robots`. Under `auth: cluster`: also let in, to everything. */
  robots: Type.Optional(robots),
  /** The clusters that are asked, in this order. Default: all. */
  clusters: Type.Optional(Type.Array(text())),
  /** Which rules decide under `auth: cluster`, and required there: `parity`, `imagestream`, `repository`, `open`, or a name under `rules`. */
  access: Type.Optional(text()),
  /** Who has no login is asked about as `system:anonymous` (true), or sent to log in (false, default). */
  anonymous: Type.Boolean({ default: false }),
  /** A list of tags of which a person may pull some: `filter` it (default), or `refuse` it. */
  listings: oneOf(['filter', 'refuse'], { default: 'filter' }),
  /**
   * How blobs go out: `serve` them ourselves; `redirect` to the object store; `bypass` the cache, sending the client where the upstream
   * sends us. Default: served, redirected as the store's own setting says. Can be changed while running.
   */
  blobs: Type.Optional(oneOf(['serve', 'redirect', 'bypass'])),
  /** Keys for our tokens: PEM (Ed25519, P-256) or HMAC secrets; the first signs, all are accepted. */
  tokenKeyFiles: Type.Optional(Type.Array(file())),
  /**
   * HMAC secrets for our tokens, one a line. Default: a random one that is kept in the store, for
   * all replicas on it.
   */
  tokenSecretFile: Type.Optional(file()),
  /** How long a token of ours works, in seconds; 300 at least. Default 6 h. */
  tokenValiditySeconds: seconds({ default: '6h' }),
});
