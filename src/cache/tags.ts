import { LRUCache } from 'lru-cache';
import { isDigest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import { upTo } from './entries.ts';
import type { CacheEvents } from './events.ts';
import type { TagPointer } from './freshness.ts';
import { type RepositoryScope, tagKey } from './store/keys.ts';
import type { Records } from './store/records.ts';
import { writeBehind } from './write-behind.ts';

/** What tags mean, as far as we were told: pointers in memory, their records behind. */
export interface Tags {
  /** The pointer; undefined when there is none, or its record cannot be read just now. */
  find(scope: RepositoryScope, tag: Tag): Promise<TagPointer | undefined>;
  /** The pointer as other replicas may have written it meanwhile, where theirs is later. Throws `UNAVAILABLE` when that cannot be read. */
  reread(scope: RepositoryScope, tag: Tag): Promise<TagPointer | undefined>;
  /** What `find` would find without reading a record, as far as it is in memory. */
  known(scope: RepositoryScope, tag: Tag): TagPointer | undefined;
  /** In force at once; written behind when it says something new. */
  set(scope: RepositoryScope, tag: Tag, pointer: TagPointer): void;
  /** The tag is gone. */
  remove(scope: RepositoryScope, tag: Tag): void;
  /** Resolves once what waits is written, or tried again and failed. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface TagsOptions {
  readonly records: Records;
  /** Pointers kept in memory. */
  readonly maxEntries: number;
  /** A confirmation alone is written only when the record is older than this, milliseconds. */
  readonly confirmEveryMs: number;
  readonly events: Pick<CacheEvents, 'storeFailed'>;
}

interface Entry {
  readonly pointer: TagPointer;
  /** `checkedAt` as the record has it. */
  readonly writtenAt: number;
}

/** Pointers over the records of a store. */
export function tags(options: TagsOptions): Tags {
  const { records, events } = options;
  const entries = new LRUCache<string, Entry>(upTo(options.maxEntries));
  const behind = writeBehind<{ readonly pointer?: TagPointer }>({
    write: async (key, { pointer }) => {
      if (pointer === undefined) await records.delete(key);
      else await records.put(key, Buffer.from(JSON.stringify(pointer)));
    },
    failed: (error) => events.storeFailed({ operation: 'write', error }),
  });

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
      const waiting = behind.waiting(record);
      if (waiting !== undefined) return waiting.pointer;
      const pointer = await readRecord(record);
      if (pointer !== undefined && !entries.has(key))
        entries.set(key, { pointer, writtenAt: pointer.checkedAt });
      return entries.get(key)?.pointer;
    },
    async reread(scope, tag) {
      const key = memoryKey(scope, tag);
      const record = recordKey(scope, tag);
      const waiting = behind.waiting(record);
      if (waiting !== undefined) return waiting.pointer;
      const stored = await records.get(record).catch((error: unknown) => {
        events.storeFailed({ operation: 'read', error });
        throw unreadable(error);
      });
      const pointer = parsePointer(stored?.bytes);
      const held = entries.get(key)?.pointer;
      if (pointer === undefined || (held !== undefined && held.checkedAt >= pointer.checkedAt)) return held;
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
        pointer.checkedAt - before.writtenAt >= options.confirmEveryMs;
      entries.set(key, { pointer, writtenAt: isNews ? pointer.checkedAt : before.writtenAt });
      if (isNews) behind.add(recordKey(scope, tag), { pointer });
    },
    remove(scope, tag) {
      entries.delete(memoryKey(scope, tag));
      behind.add(recordKey(scope, tag), {});
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

/** The record's text as a pointer; undefined when it is none, as after an edit by hand. */
function parsePointer(bytes: Uint8Array | undefined): TagPointer | undefined {
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return isPointer(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function unreadable(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the store cannot tell what the tag means', {
    retryAfterSeconds: 5,
    cause,
  });
}

function isPointer(value: unknown): value is TagPointer {
  if (typeof value !== 'object' || value === null) return false;
  const { digest, mediaType, size, checkedAt } = value as Partial<Record<keyof TagPointer, unknown>>;
  return (
    typeof digest === 'string' &&
    isDigest(digest) &&
    typeof mediaType === 'string' &&
    typeof size === 'number' &&
    typeof checkedAt === 'number'
  );
}
