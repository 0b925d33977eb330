import Type from 'typebox';
import { closed, file, oneOf, seconds, section, text } from './leaves.ts';

/** Whom we let in by name: an htpasswd file of many, or one pair. */
const robots = closed({
  /** Lines of `name:hash`, as `htpasswd -B` writes them. */
  htpasswdFile: Type.Optional(file()),
  /** The name of the one robot, in place of `htpasswdFile`. Needs `passwordFile`. */
  usernameFile: Type.Optional(file()),
  /** The password of that robot. */
  passwordFile: Type.Optional(file()),
});

/** Settings of one host name. The key above it is the name, `name:port`, or `*` for every other. */
export const hostSchema = section({
  /** Who may read: all (`none`), `robots` by Basic or token, or users of a `cluster` by RBAC. */
  auth: oneOf(['none', 'robots', 'cluster'], { default: 'none' }),
  /** The upstream of this host name. Default: by the first path segment, then `defaultUpstream`. */
  upstream: Type.Optional(text()),
  /** Required under `auth: robots`. Under `auth: cluster`: also let in, to everything. */
  robots: Type.Optional(robots),
  /** The clusters that are asked, in this order. Default: all. */
  clusters: Type.Optional(Type.Array(text())),
  /** The rules of `auth: cluster`: `parity`, `imagestream`, `repository`, `open`, or own ones. */
  access: Type.Optional(text()),
  /** Clients without a login are `system:anonymous` (true), or must log in (false, default). */
  anonymous: Type.Boolean({ default: false }),
  /** A list of tags of which a person may pull some: `filter` it (default), or `refuse` it. */
  listings: oneOf(['filter', 'refuse'], { default: 'filter' }),
  /**
   * How blobs go out: `serve` them; `redirect` to the object store; `bypass` the cache, by the
   * upstream's redirect. Default: served, redirected by the store's own setting.
   */
  blobs: Type.Optional(oneOf(['serve', 'redirect', 'bypass'])),
  /** Keys of tokens: PEM (Ed25519, P-256) or HMAC secrets; the first signs, all are accepted. */
  tokenKeyFiles: Type.Optional(Type.Array(file())),
  /** HMAC secrets for tokens, one per line. Default: a random one in the store. */
  tokenSecretFile: Type.Optional(file()),
  /** How long a token of ours works, in seconds; 300 at least. Default 6 h. */
  tokenValiditySeconds: seconds({ default: '6h' }),
});
