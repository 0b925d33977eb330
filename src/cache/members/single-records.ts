import type { LRUCache } from 'lru-cache';
import { Semaphore } from '../../base/flow/semaphore.ts';
import { createLru } from '../../base/state/lru.ts';
import type { Digest } from '../../oci/digest.ts';
import { memberKey, type RepositoryScope } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import { type IndexEntry, indexEntryBytes, parseIndexEntry } from './index-entry.ts';

/** Both together, as they are held in that repository; the first one where that has all. */
export type MergedMember = (
  scope: RepositoryScope,
  before: IndexEntry | undefined,
  seen: IndexEntry,
) => IndexEntry;

/** A member to be written. */
export interface MemberAddition {
  readonly scope: RepositoryScope;
  readonly digest: Digest;
  readonly member: IndexEntry;
  /** Most likely it has no record yet: then it is written without a look at it first. */
  readonly isNew?: boolean;
}

interface SingleRecordsOptions {
  readonly records: Records;
  readonly merged: MergedMember;
  /** Records written at a time. */
  readonly concurrency: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** A record as it was read or written last. */
interface SeenRecord {
  readonly member?: IndexEntry | undefined;
  readonly version: string;
}

/** Conditional writes lost in a row before a write is deferred: replicas that learn the same. */
export const attempts = 5;

/** Records whose version is remembered, so that the next write needs no read, and for how long. */
const mostSeen = 20_000;
const seenMs = 3_600_000;

/** Members in a record each: in repositories that have many, and in those of earlier versions. */
export class SingleRecords {
  readonly #options: SingleRecordsOptions;
  readonly #room: Semaphore;
  readonly #seen: LRUCache<string, SeenRecord>;

  constructor(options: SingleRecordsOptions) {
    const { concurrency, clock } = options;
    this.#options = options;
    this.#room = new Semaphore({ permits: concurrency });
    this.#seen = createLru(mostSeen, { keepMs: seenMs, now: clock });
  }

  /** The member; undefined without a record. Throws when that cannot be told. */
  async read({ upstream, repository }: RepositoryScope, digest: Digest): Promise<IndexEntry | undefined> {
    return (await this.#read(memberKey(upstream, repository, digest)))?.member;
  }

  /** Adds to the record what it lacks, and resolves to what it then says. */
  write(addition: MemberAddition): Promise<IndexEntry> {
    return this.#room.run(() => this.#write(addition));
  }

  async #write({ scope, digest, member, isNew = false }: MemberAddition): Promise<IndexEntry> {
    const { records, merged } = this.#options;
    const key = memberKey(scope.upstream, scope.repository, digest);
    let before: SeenRecord | undefined = this.#seen.get(key) ?? (isNew ? absent : await this.#read(key));
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const after = merged(scope, before.member, member);
      if (after === before.member) return after;
      const condition = { ifVersion: before.version };
      const version = await records.put(key, indexEntryBytes(after), condition);
      if (version !== undefined) {
        this.#seen.set(key, { member: after, version });
        return after;
      }
      before = await this.#read(key);
    }
    throw new Error('the membership record changed during every attempt to write it');
  }

  async #read(key: string): Promise<SeenRecord> {
    const stored = await this.#options.records.get(key);
    const seen = stored && { member: parseIndexEntry(stored.bytes), version: stored.version };
    if (seen === undefined) this.#seen.delete(key);
    else this.#seen.set(key, seen);
    return seen ?? absent;
  }
}

const absent: SeenRecord = { version: 'absent' };
