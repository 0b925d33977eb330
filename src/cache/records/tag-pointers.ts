import { createLru } from '../../base/state/lru.ts';
import { WriteBehind } from '../../base/state/write-behind.ts';
import { isObject, jsonOrNone } from '../../base/text/json.ts';
import { ageMs } from '../../base/time/wait.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import { isSignedSchema1 } from '../../oci/schema1.ts';
import { type RepositoryScope, tagKey } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import type { CacheEvents } from '../events.ts';
import type { TagMeaning, TagPointer } from './freshness.ts';
import { Unwritten } from './unwritten.ts';

/**
 * What tags point to: pointers in memory, their records behind. One to a signed schema 1 manifest
 * has no record: its digest is of a document seen, and such documents are not stored.
 */
export interface TagPointers {
  /** The pointer; undefined when there is none, or its record cannot be read just now. */
  find(scope: RepositoryScope, tag: Tag): Promise<TagPointer | undefined>;
  /** The pointer of another replica, where it is later. Throws `UNAVAILABLE` if unreadable. */
  reread(scope: RepositoryScope, tag: Tag): Promise<TagPointer | undefined>;
  /** What `find` would find in memory, without reading a record. */
  known(scope: RepositoryScope, tag: Tag): TagPointer | undefined;
  /** In force at once; written behind when it says something new. */
  set(scope: RepositoryScope, tag: Tag, pointer: TagPointer): void;
  remove(scope: RepositoryScope, tag: Tag): void;
  /**
   * Another replica learned that the tag moved, to the digest if one is said: what was confirmed
   * before that, and is another digest, is outdated.
   */
  outdate(scope: RepositoryScope, tag: Tag, digest?: Digest): void;
  isOutdated(scope: RepositoryScope, tag: Tag, pointer: TagPointer): boolean;
  /** Resolves once what waits is written, or tried again and failed. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

interface TagPointersOptions {
  readonly records: Records;
  readonly maxEntries: number;
  /** Records that wait to be written. Default 10,000. */
  readonly maxWaiting?: number;
  /** A confirmation alone is written only when the record is older than this, milliseconds. */
  readonly confirmEveryMs: number;
  readonly events: Pick<CacheEvents, 'storeFailed'>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

interface HeldPointer {
  readonly pointer: TagPointer;
  /** `checkedAt` as the record has it. */
  readonly writtenAt: number;
}

/** What is to become of a record; no pointer: it goes. */
interface Change {
  readonly scope: RepositoryScope;
  readonly pointer?: TagPointer;
}

/** When a replica said that a tag moved, and where to. */
interface MovedTag {
  readonly at: number;
  readonly digest: Digest | undefined;
}

/** Tags of which another replica said that they moved. */
const mostOutdated = 10_000;

/** Pointers over the records of a store. */
export function createTagPointers(options: TagPointersOptions): TagPointers {
  const { records, events, now = Date.now } = options;
  const entries = createLru<string, HeldPointer>(options.maxEntries);
  const movedTo = createLru<string, MovedTag>(mostOutdated);
  /** Updates beyond the queue, while memory has room. */
  const unwritten = new Unwritten<Change>();
  const behind = new WriteBehind<Change>({
    write: async (key, { pointer }) => {
      if (pointer === undefined) await records.delete(key);
      else await records.put(key, Buffer.from(JSON.stringify(pointer)));
    },
    laneOf: ({ scope }) => `${scope.upstream}/${scope.repository}`,
    written() {
      const next = unwritten.next();
      if (next !== undefined) behind.add(next.key, next.job);
    },
    dropped(key, change) {
      if (unwritten.size < options.maxEntries) unwritten.set(key, change);
    },
    failed: (error) => events.storeFailed({ operation: 'write', error }),
    ...(options.maxWaiting === undefined ? {} : { maxWaiting: options.maxWaiting }),
  });
  const waiting = (record: string): Change | undefined => behind.waiting(record) ?? unwritten.get(record);

  function change(scope: RepositoryScope, tag: Tag, pointer?: TagPointer): void {
    const record = recordKey(scope, tag);
    unwritten.take(record);
    behind.add(record, pointer === undefined ? { scope } : { scope, pointer });
  }

  async function readRecord(key: string): Promise<TagPointer | undefined> {
    try {
      return parsePointer((await records.get(key))?.bytes);
    } catch (error) {
      events.storeFailed({ operation: 'read', error });
      return undefined;
    }
  }

  return {
    async find(scope, tag) {
      const key = memoryKey(scope, tag);
      const found = entries.get(key);
      if (found !== undefined) return found.pointer;
      const record = recordKey(scope, tag);
      const changed = waiting(record);
      if (changed !== undefined) return changed.pointer;
      const pointer = await readRecord(record);
      if (pointer !== undefined && !entries.has(key))
        entries.set(key, { pointer, writtenAt: pointer.checkedAt });
      return entries.get(key)?.pointer;
    },
    async reread(scope, tag) {
      const key = memoryKey(scope, tag);
      const record = recordKey(scope, tag);
      const changed = waiting(record);
      if (changed !== undefined) return changed.pointer;
      const stored = await records.get(record).catch((error: unknown) => {
        events.storeFailed({ operation: 'read', error });
        throw unreadable(error);
      });
      const pointer = parsePointer(stored?.bytes);
      const held = entries.get(key)?.pointer;
      if (pointer === undefined || (held !== undefined && isLater(held, pointer, now()))) return held;
      entries.set(key, { pointer, writtenAt: pointer.checkedAt });
      return pointer;
    },
    known: (scope, tag) => entries.get(memoryKey(scope, tag))?.pointer,
    set(scope, tag, pointer) {
      const key = memoryKey(scope, tag);
      const before = entries.get(key);
      const isNews =
        before === undefined ||
        before.pointer.digest !== pointer.digest ||
        ageMs(before.writtenAt, pointer.checkedAt) >= options.confirmEveryMs;
      entries.set(key, { pointer, writtenAt: isNews ? pointer.checkedAt : before.writtenAt });
      if (isNews && !isSignedSchema1(pointer)) change(scope, tag, pointer);
    },
    remove(scope, tag) {
      entries.delete(memoryKey(scope, tag));
      change(scope, tag);
    },
    outdate: (scope, tag, digest) => void movedTo.set(memoryKey(scope, tag), { at: now(), digest }),
    isOutdated(scope, tag, { checkedAt, digest }) {
      const moved = movedTo.size === 0 ? undefined : movedTo.get(memoryKey(scope, tag));
      return moved !== undefined && checkedAt < moved.at && digest !== moved.digest;
    },
    settled: () => behind.settled(),
    close: () => behind.close(),
  };
}

/** Shorter to make than the record's key, which is escaped. No repository holds a colon. */
function memoryKey({ upstream, repository }: RepositoryScope, tag: Tag): string {
  return `${upstream}/${repository}:${tag}`;
}

function recordKey({ upstream, repository }: RepositoryScope, tag: Tag): string {
  return tagKey(upstream, repository, tag);
}

/** Whether the upstream was asked later. */
function isLater(held: TagPointer, other: TagPointer, now: number): boolean {
  return ageMs(held.checkedAt, now) <= ageMs(other.checkedAt, now);
}

/**
 * The record's text as a pointer; undefined when it is none, as after an edit by hand, and for what
 * an earlier version may have written in error: it let documents say which digest they have. So
 * former meanings of unknown type are left out as well.
 */
function parsePointer(bytes: Uint8Array | undefined): TagPointer | undefined {
  if (bytes === undefined) return undefined;
  const value = jsonOrNone(bytes);
  if (!isPointer(value) || isSignedSchema1(value)) return undefined;
  const { history } = value;
  return history === undefined ? value : { ...value, history: history.filter(isMeaning) };
}

function unreadable(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the store cannot tell which digest the tag has', {
    retryAfterSeconds: 5,
    cause,
  });
}

function isPointer(value: unknown): value is TagPointer & { readonly history?: readonly unknown[] } {
  if (!isContent(value)) return false;
  const { size, checkedAt, history }: Partial<Record<keyof TagPointer, unknown>> = value;
  return (
    typeof size === 'number' &&
    typeof checkedAt === 'number' &&
    (history === undefined || Array.isArray(history))
  );
}

function isMeaning(value: unknown): value is TagMeaning {
  if (!isContent(value)) return false;
  const { from, until }: Partial<Record<keyof TagMeaning, unknown>> = value;
  return typeof from === 'number' && typeof until === 'number';
}

function isContent(value: unknown): value is { readonly digest: Digest; readonly mediaType: string } {
  if (!isObject(value)) return false;
  const { digest, mediaType } = value;
  return isDigest(digest) && typeof mediaType === 'string';
}
