import { fieldsOf, isObject, jsonOrNone } from '../../base/text/json.ts';
import { ageMs } from '../../base/time/wait.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { isTag, type Tag } from '../../oci/reference.ts';

/** Tags below which there is content that no record of its own connects with them. */
export interface PartialGroup {
  /** The manifest below which that content is; absent where its records were given up. */
  readonly manifest?: Digest;
  readonly tags: readonly Tag[];
  /** When this was last noted, milliseconds since the epoch. */
  readonly at: number;
}

/** What one repository's record of partial tags says. Never changed in place. */
export interface PartialRecord {
  readonly groups: readonly PartialGroup[];
  /** When there was more to note than the record takes, milliseconds since the epoch. */
  readonly fullAt?: number;
}

/** Nothing is noted. */
export const emptyPartialRecord: PartialRecord = Object.freeze({ groups: Object.freeze([]) });

/** Tags of all groups, and groups; real repositories have none. */
const mostTags = 1_000;
const mostGroups = 16;

/** Forgotten after this time, milliseconds, as the evictor forgets members. */
const keptMs = 30 * 86_400_000;

/** A group is written again when its time is older than this, milliseconds. */
const renewEveryMs = 86_400_000;

/** Both together, without what is too old; `known` itself where a write adds too little. */
export function mergedPartial(known: PartialRecord, seen: PartialRecord, now: number): PartialRecord {
  const isNew = seen.groups.some((group) => addsTo(known, group));
  const fullAt = latest([known.fullAt, seen.fullAt].filter((at) => at !== undefined && isKept(at, now)));
  const isFuller = fullAt !== undefined && isDue(known.fullAt, fullAt);
  return isNew || isFuller ? bounded([...known.groups, ...seen.groups], fullAt, now) : known;
}

/** Whether content may be below tags that the record had no room for. */
export function isFull({ fullAt }: PartialRecord, now: number): boolean {
  return fullAt !== undefined && isKept(fullAt, now);
}

/** The record's bytes. */
export function partialBytes(record: PartialRecord): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/** The record; empty when there is none, and what can be read of bytes that are no such record. */
export function parsePartial(bytes: Uint8Array | undefined): PartialRecord {
  if (bytes === undefined) return emptyPartialRecord;
  const { groups, fullAt } = fieldsOf(jsonOrNone(bytes));
  if (!Array.isArray(groups)) return emptyPartialRecord;
  return {
    groups: groups.flatMap((group: unknown) => parseGroup(group) ?? []),
    ...(typeof fullAt === 'number' && { fullAt }),
  };
}

function parseGroup(value: unknown): PartialGroup | undefined {
  if (!isObject(value)) return undefined;
  const { manifest, tags, at } = value;
  if (!Array.isArray(tags) || typeof at !== 'number') return undefined;
  const known = tags.filter((tag): tag is Tag => typeof tag === 'string' && isTag(tag));
  const isNamed = isDigest(manifest);
  return { tags: known, at, ...(isNamed && { manifest }) };
}

function addsTo({ groups }: PartialRecord, { manifest, tags, at }: PartialGroup): boolean {
  const known = groups.find((group) => group.manifest === manifest);
  if (known === undefined || isDue(known.at, at)) return true;
  const had = new Set(known.tags);
  return tags.some((tag) => !had.has(tag));
}

/** The latest groups, as many as there is room for. */
function bounded(all: readonly PartialGroup[], fullAt: number | undefined, now: number): PartialRecord {
  const byManifest = Map.groupBy(
    all.filter(({ at }) => isKept(at, now)),
    ({ manifest }) => manifest,
  );
  const groups = [...byManifest.values()].map(joined).sort((a, b) => b.at - a.at);
  let room = mostTags;
  const kept = groups.slice(0, mostGroups).map((group) => {
    const tags = group.tags.slice(0, room);
    room -= tags.length;
    return { ...group, tags };
  });
  const isOver = countOf(kept) < countOf(groups);
  const full = isOver ? now : fullAt;
  return { groups: kept, ...(full !== undefined && { fullAt: full }) };
}

function joined(groups: readonly PartialGroup[]): PartialGroup {
  const [first] = groups;
  const tags = new Set(groups.flatMap((group) => group.tags));
  return { ...first, tags: [...tags], at: Math.max(...groups.map(({ at }) => at)) };
}

function countOf(groups: readonly PartialGroup[]): number {
  return groups.reduce((sum, { tags }) => sum + tags.length, 0);
}

function latest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce((one, other) => ((other ?? 0) > (one ?? 0) ? other : one), undefined);
}

function isDue(known: number | undefined, at: number): boolean {
  return known === undefined || ageMs(known, at) >= renewEveryMs;
}

function isKept(at: number, now: number): boolean {
  return ageMs(at, now) < keptMs;
}
