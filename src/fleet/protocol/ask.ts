// Room `fleet/protocol`: what members ask and answer, its proof, and the client that asks. In: a
// member's name, a question. Out: an answer, or MemberFailed. Imports: base, oci, upstream; types
// of upstream/download.

import { createHash } from 'node:crypto';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseRepository, parseTag, type Repository, type Tag } from '../../oci/reference.ts';

/** Every path between members begins with it; another version is another prefix. */
const memberPrefix = '/fleet/v1/';

/** Where news are told. */
export const newsPath = `${memberPrefix}news`;

/** Where a member says that it lives. */
export const pingPath = `${memberPrefix}ping`;

/** Where requests to the mirror are passed on. */
export const forwardPath = `${memberPrefix}mirror`;

/** Names of the headers: the question's proof, and the answer with its proof. */
export const askHeader = 'quayside-ask';
export const answerHeader = 'quayside-answer';

/** A longer question, as of a client's long query, is asked nowhere: the upstream is. */
export const longestPath = 8 * 1024;

/** What one member asks another. Every one is a read, and its answer is about one repository. */
export type MemberAsk = {
  /** The upstream's configured name, as on the member that is asked. */
  readonly upstream: string;
  readonly repository: Repository;
  /** Only what is stored, or being downloaded from the upstream by the member itself. */
  readonly onlyIfCached?: boolean;
  /** A worker passes on what another replica asked: no replica is asked on its behalf. */
  readonly isForReplica?: boolean;
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

/** What a question's proof covers beside its time: short, however long the path is. */
export function targetOf(method: string, path: string): string {
  return createHash('sha256').update(`${method} ${path}`).digest('base64url');
}

/** The question as a path with a query. */
export function pathOf({ kind, ...fields }: MemberAsk): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) query.set(name, `${value}`);
  return `${memberPrefix}${kind}?${query}`;
}

/** Parses what `pathOf` writes; throws RegistryError for anything else, as of a later version. */
export function parseAsk(path: string): MemberAsk {
  const { pathname, searchParams: query } = new URL(path, 'http://member');
  const kind = pathname.startsWith(memberPrefix) ? pathname.slice(memberPrefix.length) : '';
  const digest = (): Digest => parseDigest(query.get('digest') ?? '');
  const isSet = (name: string): boolean => query.get(name) === 'true';
  const common = {
    upstream: query.get('upstream') ?? '',
    repository: parseRepository(query.get('repository') ?? ''),
    onlyIfCached: isSet('onlyIfCached'),
    ...(isSet('isForReplica') && { isForReplica: true }),
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
