// Room `fleet/protocol`: what members ask and answer, its proof, and the client that asks. In: a
// member's name, a question. Out: an answer, or MemberFailed. Imports: base, oci, upstream; types
// of upstream/download.

import { type Fields, fieldsOf, isText, listOf, textOf } from '../../base/text/json.ts';
import type { Retry } from '../../base/time/retry.ts';
import { type Digest, isDigest, parseDigest } from '../../oci/digest.ts';
import { type ErrorCode, type ErrorOptions, RegistryError, replyBelow } from '../../oci/errors.ts';
import { isTag, parseRepository, parseTag, type Repository, type Tag } from '../../oci/reference.ts';

/** Every path between members begins with it; another version is another prefix. */
export const memberPrefix = '/fleet/v1/';

/** Where news are told. */
export const newsPath = `${memberPrefix}news`;

/** Names of the headers: the question's proof, and the answer with its proof. */
export const askHeader = 'quayside-ask';
export const answerHeader = 'quayside-answer';

/** Of a refusal that may be a member's own trouble, one other is asked; then it is believed. */
export const mostRefusals = 2;

/** What one member asks another. Every one is a read, and its answer is about one repository. */
export type MemberAsk = {
  /** The upstream's configured name, as on the member that is asked. */
  readonly upstream: string;
  readonly repository: Repository;
  /** Only what is stored, or being downloaded from the upstream by the member itself. */
  readonly onlyIfCached?: boolean;
} & (
  | {
      readonly kind: 'blob';
      readonly digest: Digest;
      /** First and last byte; default: all. */
      readonly start?: number;
      readonly end?: number;
      /** Wait for the running download however far ahead `start` is: the asker needs all bytes. */
      readonly follows?: boolean;
    }
  | { readonly kind: 'stat'; readonly digest: Digest }
  | {
      readonly kind: 'manifest';
      readonly digest?: Digest;
      readonly tag?: Tag;
      /** The descriptor only. */
      readonly isHead?: boolean;
      /** What the upstream itself says of the tag, for rights; see ManifestOptions. */
      readonly isOwn?: boolean;
    }
  | { readonly kind: 'tags'; readonly query: string }
  | { readonly kind: 'referrers'; readonly digest: Digest; readonly query: string }
);

/** What the answer to a question says. The bytes follow as the body. */
export type MemberAnswer =
  | {
      readonly word: 'found';
      readonly digest?: Digest;
      readonly mediaType?: string;
      /** Of the whole content, bytes; absent where the upstream does not say. */
      readonly size?: number;
      /** How long ago the upstream said so, milliseconds. */
      readonly ageMs?: number;
      readonly etag?: string;
      readonly warnings?: readonly string[];
      readonly nextQuery?: string;
      readonly filtersApplied?: string;
      /** The digest of a body in memory, which the proof of the answer covers so. */
      readonly body?: Digest;
    }
  /** The upstream said that there is no such content, so long ago; milliseconds. */
  | { readonly word: 'absent'; readonly reason?: string; readonly ageMs?: number }
  /** The upstream refused, or cannot be asked: its word, for all members. */
  | {
      readonly word: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryAfterSeconds?: number;
      readonly retry?: Retry;
      /** The registry itself answered so; otherwise it may be the member's own trouble. */
      readonly isAnswer?: boolean;
    }
  /** The member follows another member's download itself. */
  | { readonly word: 'follows'; readonly member: string; readonly hasBytes: boolean }
  /** Neither stored nor being downloaded. */
  | { readonly word: 'uncached' }
  /** The member's own trouble: no room, or shutting down. */
  | { readonly word: 'busy' };

/** The HTTP status that goes with each word; for readers of access logs. */
export const statusOfWord: Readonly<Record<MemberAnswer['word'], number>> = {
  found: 200,
  absent: 404,
  refused: 502,
  follows: 421,
  uncached: 504,
  busy: 507,
};

/** The question as a path with a query. */
export function pathOf({ kind, ...fields }: MemberAsk): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) query.set(name, `${value}`);
  return `${memberPrefix}${kind}?${query}`;
}

/** Parses what `pathOf` writes; throws RegistryError for anything else. */
export function parseAsk(path: string): MemberAsk {
  const { pathname, searchParams: query } = new URL(path, 'http://member');
  const kind = pathname.startsWith(memberPrefix) ? pathname.slice(memberPrefix.length) : '';
  const digest = (): Digest => parseDigest(query.get('digest') ?? '');
  const isSet = (name: string): boolean => query.get(name) === 'true';
  const common = {
    upstream: query.get('upstream') ?? '',
    repository: parseRepository(query.get('repository') ?? ''),
    onlyIfCached: isSet('onlyIfCached'),
  };
  switch (kind) {
    case 'blob':
      return {
        ...{ kind, ...common, digest: digest(), ...offset(query, 'start'), ...offset(query, 'end') },
        follows: isSet('follows'),
      };
    case 'stat':
      return { kind, ...common, digest: digest() };
    case 'manifest': {
      const tag = query.get('tag');
      const named = tag === null ? { digest: digest() } : { tag: parseTag(tag) };
      return { kind, ...common, ...named, isHead: isSet('isHead'), isOwn: isSet('isOwn') };
    }
    case 'tags':
      return { kind, ...common, query: query.get('query') ?? '' };
    case 'referrers':
      return { kind, ...common, digest: digest(), query: query.get('query') ?? '' };
    default:
      throw new RegistryError('UNKNOWN', 'members ask for blob, stat, manifest, tags and referrers only');
  }
}

function offset<Name extends string>(query: URLSearchParams, name: Name): { [Key in Name]?: number } {
  const text = query.get(name);
  if (text === null) return {};
  if (!/^\d{1,15}$/.test(text)) throw new RegistryError('RANGE_INVALID', `${name} must be a number of bytes`);
  return { [name]: Number(text) } as { [Key in Name]?: number };
}

const words: ReadonlySet<unknown> = new Set(Object.keys(statusOfWord));

/** Whether it is an answer of this version: its proof has been checked before. */
export function isMemberAnswer(value: unknown): value is MemberAnswer {
  return words.has(fieldsOf(value)['word']);
}

/** The upstream's refusal as the member that asked it received it. */
export function refusalOf(answer: Extract<MemberAnswer, { word: 'refused' }>, member: string): RegistryError {
  const { code, message, retryAfterSeconds, retry } = answer;
  const cause = new Error(`${member} asked the upstream`);
  const options: ErrorOptions = { retryAfterSeconds, cause, ...(retry && { retry }) };
  return new RegistryError(code, isText(message) ? message : 'the upstream refused', options);
}

/**
 * Whether a refusal may be the trouble of the member that was asked: a login that it has, its way
 * to the upstream. Then one other may try.
 */
export function mayBeOwn({ code, isAnswer = false }: Extract<MemberAnswer, { word: 'refused' }>): boolean {
  return code === 'DENIED' || (code === 'UNAVAILABLE' && !isAnswer);
}

/** A refusal as other members receive it. */
export function answerOf(error: RegistryError): MemberAnswer {
  const { code, message, retryAfterSeconds, retry } = error;
  return {
    ...{ word: 'refused', code, message, retry, isAnswer: replyBelow(error) !== undefined },
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}

/** What one member tells all others, without an answer. Told again, it says the same. */
export type MemberNews =
  /** It is about to stop: from now on it owns nothing. */
  | { readonly kind: 'leaving'; readonly member: string }
  /** The upstream names another digest for the tag now, or none. */
  | {
      readonly kind: 'moved';
      readonly upstream: string;
      readonly repository: Repository;
      readonly tag: Tag;
      readonly digest?: Digest;
    }
  /** A login failed; `token` is a hash of what was shown, where that is a token. */
  | { readonly kind: 'failed-login'; readonly address: string; readonly token?: string }
  /** What is remembered of people and their rights is to be dropped. */
  | { readonly kind: 'forget' };

/** The news that this version knows. */
export function parseNews(value: unknown): readonly MemberNews[] {
  return listOf(value).flatMap((each) => parsedNews(fieldsOf(each)));
}

function parsedNews({
  kind,
  member,
  upstream,
  repository,
  tag,
  digest,
  address,
  token,
}: Fields): readonly MemberNews[] {
  if (kind === 'leaving' && isText(member)) return [{ kind, member }];
  if (kind === 'moved' && isText(upstream) && isText(repository) && isTag(tag)) {
    const to = isDigest(digest) ? { digest } : {};
    return [{ kind, upstream, repository: parseRepository(repository), tag, ...to }];
  }
  if (kind === 'failed-login' && isText(address)) return [{ kind, address, ...(isText(token) && { token }) }];
  return kind === 'forget' ? [{ kind }] : [];
}

/** The answer to a ping. */
export interface Pong {
  /** The process that answered: two names may lead to one. */
  readonly instance: string;
  /** It has been told to stop: new work goes to others. */
  readonly isLeaving: boolean;
}

/** Undefined for anything else. */
export function parsePong(value: unknown): Pong | undefined {
  const { instance, isLeaving } = fieldsOf(value);
  const text = textOf(instance);
  return text === undefined ? undefined : { instance: text, isLeaving: isLeaving === true };
}
