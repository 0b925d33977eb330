import Type from 'typebox';
import {
  closed,
  count,
  file,
  host,
  ms,
  namespace,
  oneOf,
  section,
  text,
  timerMs,
  wholePattern,
} from './leaves.ts';

/** How long a cluster's answers are used. What it could not answer is never kept. */
const remember = section({
  /** An accepted token, in milliseconds. Default 2 min, as in kubelets; never past its expiry. */
  tokenMs: ms({ default: '2m' }),
  /** A token that it does not know, in milliseconds. Default 30 s. */
  badTokenMs: ms({ default: '30s' }),
  /** A right, in milliseconds: how long one that was taken away may still work. Default 5 min. */
  allowMs: ms({ default: '5m' }),
  /** A missing right, in milliseconds: how long until a new one works. Default 30 s. */
  denyMs: ms({ default: '30s' }),
  /** Answers kept, of each kind. Default 50,000. */
  maxEntries: count({ minimum: 1, default: 50_000 }),
});

/** The treatment of service account tokens, which are signed and can be checked locally. */
const serviceAccountTokens = section({
  /**
   * `review` (default): by the cluster. `prefilter`: rejects forged and expired ones locally.
   * `local`: accepts valid ones for `localMs`; a deleted account shows only after it.
   */
  check: oneOf(['review', 'prefilter', 'local'], { default: 'review' }),
  /** The cluster's `--service-account-issuer`. Tokens of this issuer go to no other cluster. */
  issuer: Type.Optional(text()),
  /** Audiences of which a token must name one. Default: any that the cluster accepts. */
  audiences: Type.Optional(Type.Array(text())),
  /** How long `local` may go without asking, in milliseconds. Default 60 s. */
  localMs: ms({ default: '60s' }),
});

/**
 * The image streams of the cluster, which are listed and watched to know which of them name a
 * digest. It takes the right to list and watch `imagestreams`.
 */
const streams = closed({
  /**
   * Namespaces where only automation writes: what their streams name is theirs without a further
   * proof. Default: none. A namespace that is taken off the list loses this at once.
   */
  trusted: Type.Array(namespace(), { uniqueItems: true, default: [] }),
  /** The only namespaces that are followed, each by a watch of its own. Default: all, by one. */
  namespaces: Type.Optional(Type.Array(namespace(), { uniqueItems: true, minItems: 1 })),
  /**
   * Names of this service, `host[:port]`, under which streams name its images. Default: none but
   * those under `hosts` and in `publicUrl`.
   */
  proxyNames: Type.Array(host(), { default: [] }),
  /**
   * How long what is known counts while the cluster does not answer, and after a restart, in
   * milliseconds. Default 1 h.
   */
  staleMs: timerMs({ default: '1h' }),
});

/** A cluster whose logins are accepted and whose RBAC decides. The key above is its name. */
export const clusterSchema = section({
  /** Where it is and who we are there. Default: the cluster we run in, as our service account. */
  kubeconfigFile: Type.Optional(file()),
  /** The context of that file. Default: its current one. */
  context: Type.Optional(text()),
  /** How long one question may take, in milliseconds. Default 3 s. */
  timeoutMs: timerMs({ default: '3s' }),
  /** Connections to its API. Default 8. */
  connections: count({ minimum: 1, default: 8 }),
  remember,
  serviceAccountTokens,
  /** Default: image streams are not followed. */
  streams: Type.Optional(streams),
});

/** What the cluster is asked. Each may use `$<group>` of the rule's expressions. */
const question = closed({
  /** Empty: all namespaces. */
  namespace: Type.String(),
  /** Default: none, which asks for every name. */
  name: Type.Optional(text()),
  /** Default `get`. */
  verb: Type.Optional(text()),
  /** Default `image.openshift.io`; empty for the core group. */
  group: Type.Optional(Type.String()),
  /** Default: none. */
  version: Type.Optional(text()),
  /** Default `imagestreams`. */
  resource: Type.Optional(text()),
  /** Default `layers`; empty for none. */
  subresource: Type.Optional(Type.String()),
});

/**
 * One rule. The first whose expressions match decides. Exactly one of `ask`, `allow`, `refuse` and
 * `followDigest`. A rule without `tags` decides whole repositories; a digest is decided by the
 * rules of the tags that reference it.
 */
export const ruleSchema = closed({
  /** For logs and messages. */
  name: text(),
  /** The whole of `<upstream>/<repository>`. */
  repositories: wholePattern(),
  /** The whole of the tag. Default: the rule does not depend on the tag. */
  tags: Type.Optional(wholePattern()),
  ask: Type.Optional(question),
  /** Every login. */
  allow: Type.Optional(Type.Literal(true)),
  /** No subject. */
  refuse: Type.Optional(Type.Literal(true)),
  /** The tag holds a digest in the groups `algorithm` (sha256) and `hex`, whose right counts. */
  followDigest: Type.Optional(Type.Literal(true)),
  /** Users and groups (`system:serviceaccounts`) that need only their login. */
  exempt: Type.Optional(Type.Array(text())),
});
