import Type from 'typebox';
import { closed, file, oneOf, seconds, section, text } from './leaves.ts';

/** Whom we let in under `auth: robots`: an htpasswd file of many, or one pair. */
const robots = closed({
  /** Lines of `name:hash`, as `htpasswd -B` writes them. */
  htpasswdFile: Type.Optional(file()),
  usernameFile: Type.Optional(file()),
  passwordFile: Type.Optional(file()),
});

/** What we are under one host name. The key above it is the name, `name:port`, or `*` for every other. */
export const hostSchema = section({
  /** Who may read: anyone (`none`, default), or known robots by Basic or token. */
  auth: oneOf(['none', 'robots'], { default: 'none' }),
  /** The upstream that this host name stands for. Default: the first path segment decides, then `defaultUpstream`. */
  upstream: Type.Optional(text()),
  robots: Type.Optional(robots),
  /** The key that signs our tokens. Default: a random one for each process, which replicas cannot share. */
  tokenSecretFile: Type.Optional(file()),
  /** How long a token of ours works, in seconds; 300 at least. Default 6 h. */
  tokenValiditySeconds: seconds({ default: '6h' }),
});
