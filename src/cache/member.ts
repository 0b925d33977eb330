import type { Descriptor } from '../oci/content.ts';
import { parseTag, type Tag } from '../oci/reference.ts';

/** What one repository's record says of one digest. Never changed in place: an equal object has equal content. */
export interface Member {
  readonly mediaType?: string;
  /** Bytes; -1 where only schema 1 manifests, which name no sizes, were seen. */
  readonly size: number;
  /** The bytes were read and counted: no word on the size weighs more. */
  readonly isProven?: true;
  /** Tags whose graph held the digest, the latest last. */
  readonly tags: readonly Tag[];
  /** When the digest was first seen there, milliseconds since the epoch. */
  readonly seenAt: number;
}

/**
 * Tags kept per digest. A base layer may be under any number of tags; the latest ones stay, because a client asks for a
 * layer right after the tag that led it there.
 */
const maxTags = 64;

/**
 * What both say together; `known` itself when `seen` adds nothing. The first word on size and media type stands, so
 * that no manifest seen later can misstate a layer which others share; only what was found by reading replaces it.
 */
export function mergedMember(known: Member | undefined, seen: Member): Member {
  if (known === undefined) return seen;
  const mediaType = known.mediaType ?? seen.mediaType;
  const { size, isProven } = sizeOf(known, seen);
  const tags = mergedTags(known.tags, seen.tags);
  const isSameSize = size === known.size && isProven === known.isProven;
  if (mediaType === known.mediaType && isSameSize && tags === known.tags) return known;
  return { size, tags, seenAt: known.seenAt, ...optional({ mediaType, isProven }) };
}

/** A member as it is when a manifest, or the upstream itself, shows a descriptor. */
export function memberOf(descriptor: Descriptor, tag: Tag | undefined, seenAt: number): Member {
  const { mediaType, size } = descriptor;
  const tags = tag === undefined ? [] : [tag];
  return { size, tags, seenAt, ...(mediaType === undefined ? {} : { mediaType }) };
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
  seenAt,
}: Readonly<Record<string, unknown>>): Member | undefined {
  if (typeof size !== 'number' || typeof seenAt !== 'number' || !Array.isArray(tags)) return undefined;
  const parsed = tags.map((tag: unknown) => parseTag(String(tag)));
  return {
    size,
    seenAt,
    tags: parsed,
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

function mergedTags(known: readonly Tag[], seen: readonly Tag[]): readonly Tag[] {
  const added = seen.filter((tag) => !known.includes(tag));
  return added.length === 0 ? known : [...known, ...added].slice(-maxTags);
}
