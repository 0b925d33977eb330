import { defined } from '../../base/text/defined.ts';
import { type Fields, fieldsOf, jsonOrNone } from '../../base/text/json.ts';
import { ageMs } from '../../base/time/wait.ts';
import type { Descriptor } from '../../oci/content.ts';
import { isTag, type Tag } from '../../oci/reference.ts';
import { isReferrersTag } from '../../oci/referrers-tag.ts';
import { isSignedSchema1 } from '../../oci/schema1.ts';
import { isNews, mergedTags, type TagMerging } from './entry-tags.ts';

/** The record of one digest in one repository. Immutable: an equal object has equal content. */
export interface IndexEntry {
  readonly mediaType?: string;
  /** Bytes; -1 where only schema 1 manifests, which name no sizes, were seen. */
  readonly size: number;
  /** The bytes were read: no word on the size, and of a manifest on the type, weighs more. */
  readonly isProven?: true;
  /**
   * Written by a version that believed what any upstream said to be under a digest. It does not
   * show that the digest is of the repository; its tags may lead there as any other may.
   */
  readonly isDoubtful?: true;
  /** Tags whose graph held the digest, the latest last. */
  readonly tags: readonly Tag[];
  /** When tags that had to be written were last added, ms since the epoch. */
  readonly tagsAt: number;
  /** When the digest was first seen there, milliseconds since the epoch. */
  readonly seenAt: number;
}

/** What records say that are written now; those without are doubtful. */
const format = 2;

/** Covered tags of a full record are written at most this often, milliseconds: base layers. */
const tagsEveryMs = 3_600_000;

/**
 * The union; `known` itself if `seen` adds nothing. The first size and media type stay, so that no
 * later manifest can misstate a shared layer; only a verified read replaces them.
 */
export function mergedEntry(
  known: IndexEntry | undefined,
  seen: IndexEntry,
  merging: TagMerging,
): IndexEntry {
  if (known === undefined) return seen;
  if (known.isDoubtful !== seen.isDoubtful)
    return known.isDoubtful ? confirmedEntry(known, seen, merging) : known;
  const mediaType = seen.isProven ? (seen.mediaType ?? known.mediaType) : (known.mediaType ?? seen.mediaType);
  const isReplaced = known.isProven === undefined && (known.size < 0 || seen.isProven !== undefined);
  const { size, isProven } = isReplaced ? seen : known;
  const tags = mergedTags(known.tags, seen.tags, merging);
  const tagsAt = tagsAtOf(known, { ...seen, tags }, merging);
  const isSameSize = size === known.size && isProven === known.isProven;
  if (mediaType === known.mediaType && isSameSize && tags === known.tags) return known;
  const { seenAt, isDoubtful } = known;
  return {
    size,
    tags,
    tagsAt,
    seenAt,
    ...(isDoubtful && { isDoubtful }),
    ...defined({ mediaType, isProven }),
  };
}

/**
 * Of a doubtful record only the tags stay, which are proven by use. Referrers tags of what is no
 * manifest do not; they come again with the manifest that refers.
 */
function confirmedEntry(known: IndexEntry, seen: IndexEntry, merging: TagMerging): IndexEntry {
  const tags = known.tags.filter((tag) => !isReferrersTag(tag));
  return { ...seen, tags: mergedTags(tags, seen.tags, merging) };
}

/** False when all that `after` has beyond `before` are tags that can wait. */
export function isWorthWriting(before: IndexEntry | undefined, after: IndexEntry): boolean {
  return (
    before === undefined ||
    before.isDoubtful !== after.isDoubtful ||
    before.tagsAt !== after.tagsAt ||
    before.mediaType !== after.mediaType ||
    before.size !== after.size ||
    before.isProven !== after.isProven
  );
}

/**
 * A member as it is when a manifest, or the upstream itself, shows a descriptor. Of a signed schema
 * 1 manifest neither type nor size is of its digest, which other documents have as well.
 */
export function indexEntryOf(descriptor: Descriptor, tags: readonly Tag[], seenAt: number): IndexEntry {
  const { mediaType, size } = descriptor;
  if (isSignedSchema1(descriptor)) return { size: -1, tags, tagsAt: seenAt, seenAt };
  return { size, tags, tagsAt: seenAt, seenAt, ...(mediaType === undefined ? {} : { mediaType }) };
}

/** Moves only when the tags must be written, and then always. */
function tagsAtOf(known: IndexEntry, { tags, tagsAt }: IndexEntry, merging: TagMerging): number {
  if (tags === known.tags) return known.tagsAt;
  const isDue = ageMs(known.tagsAt, tagsAt) >= tagsEveryMs || isNews(known.tags, tags, merging);
  if (!isDue) return known.tagsAt;
  return tagsAt === known.tagsAt ? tagsAt + 1 : tagsAt;
}

/** The record's bytes. */
export function indexEntryBytes(member: IndexEntry): Uint8Array {
  return Buffer.from(JSON.stringify(indexEntryFields(member)));
}

/** What a record says of a member, alone or among others. */
export function indexEntryFields({ isDoubtful, ...member }: IndexEntry): Fields {
  return isDoubtful ? member : { ...member, format };
}

/** The record; undefined if absent or invalid; the next write replaces invalid bytes. */
export function parseIndexEntry(bytes: Uint8Array | undefined): IndexEntry | undefined {
  return bytes === undefined ? undefined : readIndexEntry(fieldsOf(jsonOrNone(bytes)));
}

/** The member of which these fields tell; undefined for others. */
export function readIndexEntry({ format: written, ...fields }: Fields): IndexEntry | undefined {
  const { mediaType, size, isProven, tags, tagsAt, seenAt } = fields;
  if (typeof size !== 'number' || typeof seenAt !== 'number') return undefined;
  if (!Array.isArray(tags) || !tags.every(isTag)) return undefined;
  return {
    size,
    seenAt,
    tags,
    tagsAt: typeof tagsAt === 'number' ? tagsAt : seenAt,
    ...(written === format ? {} : { isDoubtful: true }),
    ...defined({
      mediaType: typeof mediaType === 'string' ? mediaType : undefined,
      isProven: isProven === true || undefined,
    }),
  };
}
