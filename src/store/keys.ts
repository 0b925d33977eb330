import { createHash } from 'node:crypto';
import { algorithmOf, type Digest, hexOf, isDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { parseRepository, parseTag, type Repository, type Tag } from '../oci/reference.ts';

/**
 * The whole layout, the same on every medium. A change of format is a new first part.
 *
 *     v1/
 *       blobs/<algorithm>/<2 hex>/<hex>                     content, manifests too
 *       tags/<upstream>/<repository>/_tags/<tag>            the tag's digest, and earlier ones
 *       members/<upstream>/<repository>/_joint              the digests seen in that repository
 *       members/<upstream>/<repository>/_digests/<digest>   one of them, where they are many
 *       partial/<upstream>/<repository>/_partial            tags with content without records
 *       usage/<day>/<instance>                              digests served that day by a replica
 *       totals/store                                        how much the store holds
 *       leases/<name>                                       who does that job now
 *       subjects/<sha256>                                   subjects with many groups
 *       access/forget                                       when all were told to forget rights
 *       secrets/tokens                                      the key of our tokens without a file
 *       secrets/reviews/<64 hex>                            a cluster accepted a token; sealed
 *       streams/<cluster>/head, streams/<cluster>/<0-31>    which image streams name which digest
 *       tasks/queued/<sha256>, tasks/offered/<uuid>         images to be mirrored
 *       scrub/progress                                      how far the scrub has come
 *       prune/<sha256>                                      how far a deletion has come
 *       conditions/last                                     what counted before a restart
 *       probes/<instance>                                   written and deleted to probe the store
 *       format                                              since when joint records are written
 *
 * Repositories nest, so `a/b` may be a repository or the tag `b` of `a`. A component that begins
 * with `_` cannot be part of a repository (it must begin with a letter or digit); it ends the
 * repository's name, on S3 and as a directory alike.
 */
const version = 'v1';

/** Where all blobs lie; for listings. */
export const blobsPrefix = `${version}/blobs/`;
/** Where all tags lie; for listings. */
export const tagsPrefix = `${version}/tags/`;
/** Where all memberships lie; for listings. */
export const membersPrefix = `${version}/members/`;
/** Where all usage lies; for listings. */
export const usagePrefix = `${version}/usage/`;
/** The last order to forget what is remembered of people and their rights. */
export const forgetKey = `${version}/access/forget`;
const leasesPrefix = `${version}/leases/`;

/** True for what only our own user should read on a file system. */
export function isSecretKey(key: string): boolean {
  return key.startsWith(`${version}/secrets/`);
}

/** A repository of one upstream. */
export interface RepositoryScope {
  /** The upstream's configured name, such as `quay.io` or `localhost:5000`. */
  readonly upstream: string;
  readonly repository: Repository;
}

/** Where a blob's bytes lie. */
export function blobKey(digest: Digest): string {
  const hex = hexOf(digest);
  return `${blobsPrefix}${algorithmOf(digest)}/${hex.slice(0, 2)}/${hex}`;
}

/** The digest whose bytes lie at `key`; undefined when it is no blob's key. */
export function parseBlobKey(key: string): Digest | undefined {
  if (!key.startsWith(blobsPrefix)) return undefined;
  const [algorithm = '', , hex = ''] = key.slice(blobsPrefix.length).split('/');
  const digest = `${algorithm}:${hex}`;
  return isDigest(digest) && blobKey(digest) === key ? digest : undefined;
}

/** Where a tag's pointer lies. */
export function tagKey(upstream: string, repository: Repository, tag: Tag): string {
  return `${repositoryTagsPrefix(upstream, repository)}${tag}`;
}

/** What all tag keys of one repository begin with, and those of repositories below it do not. */
export function repositoryTagsPrefix(upstream: string, repository: Repository): string {
  return `${tagsPrefix}${component(upstream)}/${repository}/_tags/`;
}

/** The tag whose pointer lies at `key`; undefined when it is no tag's key. */
export function parseTagKey(key: string): (RepositoryScope & { readonly tag: Tag }) | undefined {
  const parts = scopedParts(key, tagsPrefix, '/_tags/');
  return parts && valid(() => ({ ...parts.scope(), tag: parseTag(parts.last) }));
}

/** Where the proof lies that a digest belongs to a repository. */
export function memberKey(upstream: string, repository: Repository, digest: Digest): string {
  return `${membersPrefix}${component(upstream)}/${repository}/_digests/${digest}`;
}

/** What the records of single members of one repository begin with; for listings. */
export function singleMembersPrefix({ upstream, repository }: RepositoryScope): string {
  return `${membersPrefix}${component(upstream)}/${repository}/_digests/`;
}

/** Where the members of a small repository lie together. */
export function jointKey({ upstream, repository }: RepositoryScope): string {
  return `${membersPrefix}${component(upstream)}/${repository}/_joint`;
}

/** The repository whose members lie at `key`; undefined when it is no joint record's key. */
export function parseJointKey(key: string): RepositoryScope | undefined {
  const parts = scopedParts(key, membersPrefix, '/_joint');
  return parts?.last === '' ? valid(parts.scope) : undefined;
}

/** Where it says since when members lie together. */
export const formatKey = `${version}/format`;

/** The membership that lies at `key`; undefined when it is no membership's key. */
export function parseMemberKey(key: string): (RepositoryScope & { readonly digest: Digest }) | undefined {
  const parts = scopedParts(key, membersPrefix, '/_digests/');
  const digest = parts?.last ?? '';
  return parts && isDigest(digest) ? valid(() => ({ ...parts.scope(), digest })) : undefined;
}

/** Where a repository's partial tags lie. */
export function partialKey({ upstream, repository }: RepositoryScope): string {
  return `${version}/partial/${component(upstream)}/${repository}/_partial`;
}

/** Where a replica's usage of one day lies; `day` as in `2026-11-22` (UTC). */
export function usageKey(day: string, instance: string): string {
  return `${usagePrefix}${component(day)}/${component(instance)}`;
}

/** The day and replica whose usage lies at `key`; undefined when it is no usage key. */
export function parseUsageKey(key: string): { readonly day: string; readonly instance: string } | undefined {
  if (!key.startsWith(usagePrefix)) return undefined;
  const [day, instance, ...rest] = key.slice(usagePrefix.length).split('/');
  if (!day || !instance || rest.length > 0) return undefined;
  return valid(() => ({ day: textOf(day), instance: textOf(instance) }));
}

/** Where the lease of a job lies. */
export function leaseKey(name: string): string {
  return `${leasesPrefix}${component(name)}`;
}

/** Where a part of the index of a cluster's image streams lies. */
export function streamsKey(cluster: string, part: string): string {
  return `${version}/streams/${component(cluster)}/${part}`;
}

/** Where it lies how much the store holds. */
export const storeTotalKey = `${version}/totals/store`;

/** Where the progress of the scrub lies. */
export const scrubKey = `${version}/scrub/progress`;

/** Where the progress of a job of pruning lies. */
export function pruneKey(job: string): string {
  return `${version}/prune/${createHash('sha256').update(job).digest('hex')}`;
}

/** Where the conditions lie that counted last. */
export const conditionsKey = `${version}/conditions/last`;

/** Where a replica writes to see whether the store works. */
export function probeKey(instance: string): string {
  return `${version}/probes/${component(instance)}`;
}

/** The key, if this file could have made it; throws otherwise, so that none leaves the store. */
export function checkedKey(key: string): string {
  if (/^v1(?:\/(?!\.)[A-Za-z0-9._@:-]{1,255})+$/.test(key)) return key;
  throw new RegistryError('UNKNOWN', 'not a key of the store', { detail: { key: key.slice(0, 150) } });
}

/**
 * Free text as one component of a key: each byte outside `[A-Za-z0-9._:-]`, and a leading `.` or
 * `_`, becomes `@` and two hexadecimal digits, so no name makes `..` or one of our components.
 */
function component(text: string): string {
  return text.replace(/[^A-Za-z0-9._:-]|^[._]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `@${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}

function textOf(encoded: string): string {
  return decodeURIComponent(encoded.replaceAll('@', '%'));
}

function scopedParts(key: string, prefix: string, marker: string) {
  const slash = key.indexOf('/', prefix.length);
  const mark = key.indexOf(marker);
  if (!key.startsWith(prefix) || slash < 0 || mark <= slash) return undefined;
  const scope = (): RepositoryScope => ({
    upstream: textOf(key.slice(prefix.length, slash)),
    repository: parseRepository(key.slice(slash + 1, mark)),
  });
  return { scope, last: key.slice(mark + marker.length) };
}

function valid<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
