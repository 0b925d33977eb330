import type { Descriptor } from '../oci/content.ts';
import { parseTag, type Tag } from '../oci/reference.ts';
import { isNews, mergedTags, type TagMerging } from './member-tags.ts';

/** What one repository's record says of one digest. Never changed in place: an equal object has equal content. */
export interface Member {
  readonly mediaType?: string;
  /** Bytes; -1 where only schema 1 manifests, which name no sizes, were seen. */
  readonly size: number;
  /** The bytes were read and counted: no word on the size weighs more. */
  readonly isProven?: true;
  /** Tags whose graph held the digest, the latest last. */
  readonly tags: readonly Tag[];
  /** When tags were last added that had to be written, milliseconds since the epoch; later ones may be in memory only. */
  readonly tagsAt: number;
  /** When the digest was first seen there, milliseconds since the epoch. */
  readonly seenAt: number;
}

/** Tags that open no new way into a full record are written at most this often, milliseconds: base layers get them all day. */
const tagsEveryMs = 3_600_000;

/**
 * What both say together; `known` itself when `seen` adds nothing. The first word on size and media type stands, so
 * that no manifest seen later can misstate a layer which others share; only what was found by reading replaces it.
 */
export function mergedMember(known: Member | undefined, seen: Member, merging: TagMerging): Member {
  if (known === undefined) return seen;
  const mediaType = known.mediaType ?? seen.mediaType;
  const { size, isProven } = sizeOf(known, seen);
  const tags = mergedTags(known.tags, seen.tags, merging);
  const tagsAt = tagsAtOf(known, { ...seen, tags }, merging);
  const isSameSize = size === known.size && isProven === known.isProven;
  if (mediaType === known.mediaType && isSameSize && tags === known.tags) return known;
  return { size, tags, tagsAt, seenAt: known.seenAt, ...optional({ mediaType, isProven }) };
}

/** False when all that `after` has beyond `before` are tags that can wait. */
export function isWorthWriting(before: Member | undefined, after: Member): boolean {
  return (
    before === undefined ||
    before.tagsAt !== after.tagsAt ||
    before.mediaType !== after.mediaType ||
    before.size !== after.size ||
    before.isProven !== after.isProven
  );
}

/** A member as it is when a manifest, or the upstream itself, shows a descriptor. */
export function memberOf({ mediaType, size }: Descriptor, tags: readonly Tag[], seenAt: number): Member {
  return { size, tags, tagsAt: seenAt, seenAt, ...(mediaType === undefined ? {} : { mediaType }) };
}

/** Moves only when the tags must be written, and then always. */
function tagsAtOf(known: Member, { tags, tagsAt }: Member, { scopeOf }: TagMerging): number {
  if (tags === known.tags) return known.tagsAt;
  const isDue = tagsAt - known.tagsAt >= tagsEveryMs || isNews(known.tags, tags, scopeOf);
  return isDue ? Math.max(tagsAt, known.tagsAt + 1) : known.tagsAt;
}

function sizeOf(known: Member, seen: Member): Member {
  const isReplaced = known.isProven === undefined && (known.size < 0 || seen.isProven !== undefined);
  return isReplaced ? seen : known;
}

/** The record's bytes. */
export function memberBytes(member: Member): Uint8Array {
  return Buffer.from(JSON.stringify(member));
}

/** The record; undefined when there is none, and for bytes that are no such record, which the next write replaces. */
export function parseMember(bytes: Uint8Array | undefined): Member | undefined {
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return isRecord(value) ? readMember(value) : undefined;
  } catch {
    return undefined;
  }
}

function readMember({
  mediaType,
  size,
  isProven,
  tags,
  tagsAt,
  seenAt,
}: Readonly<Record<string, unknown>>): Member | undefined {
  if (typeof size !== 'number' || typeof seenAt !== 'number' || !Array.isArray(tags)) return undefined;
  const parsed = tags.map((tag: unknown) => parseTag(String(tag)));
  return {
    size,
    seenAt,
    tags: parsed,
    tagsAt: typeof tagsAt === 'number' ? tagsAt : seenAt,
    ...optional({
      mediaType: typeof mediaType === 'string' ? mediaType : undefined,
      isProven: isProven === true ? isProven : undefined,
    }),
  };
}

function optional({
  mediaType,
  isProven,
}: {
  readonly mediaType: string | undefined;
  readonly isProven: true | undefined;
}): Pick<Member, 'mediaType' | 'isProven'> {
  return {
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(isProven === undefined ? {} : { isProven }),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
