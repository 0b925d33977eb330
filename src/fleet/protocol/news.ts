import { type Fields, fieldsOf, isText, listOf, textOf } from '../../base/text/json.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { isRepository, isTag, type Repository, type Tag } from '../../oci/reference.ts';
import { isUpstreamKind, type UpstreamRequestKind } from '../../upstream/upstream.ts';

/** What one member tells all others, without an answer. Told again, it says the same. */
export type MemberNews =
  /** It is about to stop: from now on it owns nothing. */
  | { readonly kind: 'leaving'; readonly member: string }
  /** It knows the member that it tells: that one is to ask whether it lives. */
  | { readonly kind: 'came'; readonly member: string }
  /** The upstream names another digest for the tag now, or none. */
  | {
      readonly kind: 'moved';
      readonly upstream: string;
      readonly repository: Repository;
      readonly tag: Tag;
      readonly digest?: Digest;
    }
  /** The blob is in the store of all now. */
  | { readonly kind: 'stored'; readonly digest: Digest; readonly size: number }
  /** The breaker towards the upstream opened, or closed again. */
  | { readonly kind: 'breaker'; readonly upstream: string; readonly isOpen: boolean }
  /** The upstream wants no request of that kind for so long. */
  | {
      readonly kind: 'throttled';
      readonly upstream: string;
      readonly of: UpstreamRequestKind;
      readonly seconds: number;
    }
  /** A login failed; `token` is a hash of what was shown, where that is a token. */
  | { readonly kind: 'failed-login'; readonly address: string; readonly token?: string }
  /** Between workers: a copy on their disk came, of that size, or went. */
  | { readonly kind: 'copy'; readonly digest: Digest; readonly size?: number }
  /** That process gave back the lease: another may take it at once. */
  | { readonly kind: 'released'; readonly lease: string }
  /** What is remembered of people and their rights is to be dropped. */
  | { readonly kind: 'forget' };

/** The news that this version knows. */
export function parseNews(value: unknown): readonly MemberNews[] {
  return listOf(value).flatMap((each) => parsedNews(fieldsOf(each)));
}

function parsedNews(fields: Fields): readonly MemberNews[] {
  const { kind, member, upstream, repository, tag, digest, size, isOpen, address, token, lease } = fields;
  if ((kind === 'leaving' || kind === 'came') && isText(member)) return [{ kind, member }];
  if (kind === 'moved' && isText(upstream) && isRepository(repository) && isTag(tag))
    return [{ kind, upstream, repository, tag, ...(isDigest(digest) && { digest }) }];
  if (kind === 'failed-login' && isText(address)) return [{ kind, address, ...(isText(token) && { token }) }];
  if (kind === 'stored' && isDigest(digest) && typeof size === 'number' && size >= 0)
    return [{ kind, digest, size }];
  if (kind === 'breaker' && isText(upstream)) return [{ kind, upstream, isOpen: isOpen === true }];
  if (kind === 'copy' && isDigest(digest))
    return [{ kind, digest, ...(typeof size === 'number' && size >= 0 && { size }) }];
  if (kind === 'throttled') return throttledIn(fields);
  if (kind === 'released' && isText(lease)) return [{ kind, lease }];
  return kind === 'forget' ? [{ kind }] : [];
}

/** A wait that is longer than a registry may set is no news of this version. */
const longestSeconds = 300;

function throttledIn({ upstream, of, seconds }: Fields): readonly MemberNews[] {
  const isPause = typeof seconds === 'number' && seconds > 0 && seconds <= longestSeconds;
  return isText(upstream) && isUpstreamKind(of) && isPause
    ? [{ kind: 'throttled', upstream, of, seconds }]
    : [];
}

/** The answer to a ping. */
export interface Pong {
  /** The process that answered: two names may lead to one. */
  readonly instance: string;
  /** It has been told to stop: new work goes to others. */
  readonly isLeaving: boolean;
  /** It asks the upstream for what the ping is about: that it is silent is not its own doing. */
  readonly isAsking?: boolean;
}

/** Undefined for anything else. */
export function parsePong(value: unknown): Pong | undefined {
  const { instance, isLeaving, isAsking } = fieldsOf(value);
  const text = textOf(instance);
  if (text === undefined) return undefined;
  return { instance: text, isLeaving: isLeaving === true, isAsking: isAsking === true };
}
