// Room `cache/members`: what is known of a digest in a repository, and the records that hold it.
// In: records of the store, members to add. Out: members, and one write where several go to the
// same record. Imports: base, oci, store.

import { LRUCache } from 'lru-cache';
import { concurrently } from '../../base/flow/each.ts';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import { ageMs } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';
import { jointKey, type RepositoryScope, singleMembersPrefix } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import type { IndexEntry } from './index-entry.ts';
import {
  dissolvedJoint,
  emptyJoint,
  type JointRecord,
  jointBytes,
  LaterRecord,
  parseJoint,
} from './joint-record.ts';
import { hasAny, jointStart } from './joint-start.ts';
import { attempts, type MemberAddition, type MergedMember, SingleRecords } from './single-records.ts';

interface MemberRecordsOptions {
  readonly records: Records;
  readonly merged: MergedMember;
  /** Single records written at a time. */
  readonly concurrency: number;
  /** Members that take more bytes get a record each; 0: all of them do. Default 128 KiB. */
  readonly maxJointBytes?: number | undefined;
  /** Names this replica in what it writes. */
  readonly by?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** A joint record as it was read or written last. */
interface HeldJoint {
  readonly record: JointRecord;
  readonly version: string;
  /** Its size. */
  readonly bytes: number;
  /** When it was read, milliseconds since the epoch; never for what was only written. */
  readonly readAt: number;
}

/** Where a repository's members lie: together; each in a record; in neither as yet. */
type MemberLayout = HeldJoint | 'single' | 'none';

/** Additions to one joint record, the latest of each digest. */
interface JointBatch {
  readonly additions: Map<Digest, IndexEntry>;
  readonly written: Promise<ReadonlyMap<Digest, IndexEntry>>;
}

/** Joint records in memory, bytes of all. */
const maxHeldBytes = 8 * 1024 * 1024;
const mostSingle = 100_000;
/**
 * A joint record that was read is believed so long to lack what it lacks, milliseconds: many
 * unknown digests cost one read a second.
 */
const recentMs = 1_000;
const never = Number.NEGATIVE_INFINITY;
/** A record of a later version is looked at again after this time, milliseconds. */
const laterMs = 60_000;
const dissolvedAtATime = 8;
/** Between replicas whose clocks differ, one begins so much earlier than another, milliseconds. */
const skewMs = 60_000;

/**
 * The members of repositories in records: of a small repository all in one, so that an image costs
 * one write, and another replica one read; of a large one, and of those that an earlier version
 * began, each in its own. Which of both it is never changes back. See ADR 0077.
 */
export class MemberRecords {
  readonly #options: MemberRecordsOptions;
  readonly #maxJointBytes: number;
  readonly #singles: SingleRecords;
  readonly #reading = createSingleFlight<MemberLayout>();
  readonly #starting = createSingleFlight<number>();
  readonly #joint = new LRUCache<string, HeldJoint>({
    maxSize: maxHeldBytes,
    sizeCalculation: ({ bytes }) => bytes + 100,
  });
  /** Repositories that are known to have single records. */
  readonly #single = createLru<string, true>(mostSingle);
  /** Repositories whose joint records are of a later version. */
  readonly #laterRecords: LRUCache<string, true>;
  readonly #waiting = new Map<string, JointBatch>();
  readonly #running = new Map<string, Promise<unknown>>();
  #startMs: number | undefined;

  constructor(options: MemberRecordsOptions) {
    this.#options = options;
    this.#maxJointBytes = options.maxJointBytes ?? 128 * 1024;
    this.#singles = new SingleRecords(options);
    this.#laterRecords = createLru(mostSingle, { keepMs: laterMs, now: options.clock });
  }

  /** Finds out which records this store has, so that no pull waits for that. May reject. */
  async prepare(): Promise<void> {
    if (this.#maxJointBytes > 0) await this.#start();
  }

  /**
   * The member; undefined where no record has it, or the joint record had not a second ago.
   * `afresh`: whatever was read before. Throws when that cannot be told: LaterRecord where another
   * version knows.
   */
  async read(scope: RepositoryScope, digest: Digest, afresh: boolean): Promise<IndexEntry | undefined> {
    const held = this.#joint.get(nameOf(scope));
    const known = held?.record.members.get(digest);
    if (held !== undefined && !afresh && (known !== undefined || this.#isRecent(held))) return known;
    const layout = await this.#layout(scope);
    if (typeof layout !== 'string') return layout.record.members.get(digest);
    if (layout === 'none' && this.#startMs === 0) return undefined;
    const found = await this.#singles.read(scope, digest);
    if (found !== undefined) this.#single.set(nameOf(scope), true);
    return found;
  }

  /**
   * Adds to the record what it lacks, and resolves to what it then says of the member. Rejects with
   * LaterRecord where nothing may be added to it.
   */
  async write(addition: MemberAddition): Promise<IndexEntry> {
    const { scope, digest, member } = addition;
    if (this.#isSingle(scope)) return this.#writeSingle(addition);
    const batch = this.#batchOf(scope);
    batch.additions.set(digest, member);
    return (await batch.written).get(digest) ?? this.#writeSingle(addition);
  }

  async #writeSingle(addition: MemberAddition): Promise<IndexEntry> {
    const written = await this.#singles.write(addition);
    this.#single.set(nameOf(addition.scope), true);
    return written;
  }

  /** Without a look at the store. */
  #isSingle(scope: RepositoryScope): boolean {
    if (this.#maxJointBytes === 0 || this.#single.has(nameOf(scope))) return true;
    return this.#startMs !== undefined && this.#options.clock() < this.#startMs;
  }

  async #layout(scope: RepositoryScope): Promise<MemberLayout> {
    return this.#isSingle(scope) ? 'single' : this.#reading(nameOf(scope), () => this.#read(scope));
  }

  async #read(scope: RepositoryScope): Promise<MemberLayout> {
    if (this.#laterRecords.has(nameOf(scope))) throw this.#later(scope);
    const readAt = this.#options.clock();
    const stored = await this.#options.records.get(jointKey(scope));
    if (stored === undefined) return 'none';
    const held = this.#joint.get(nameOf(scope));
    if (held?.version === stored.version) return this.#keep(scope, { ...held, readAt });
    const record = parseJoint(stored.bytes);
    if (record === 'later') throw this.#later(scope);
    if (record?.isDissolved === true) return this.#dissolved(scope);
    const bytes = stored.bytes.byteLength;
    // What is garbled is replaced; until then each member may have a record.
    if (record === undefined && (await this.#hasSingles(scope))) return this.#dissolved(scope);
    return this.#keep(scope, { record: record ?? emptyJoint, version: stored.version, bytes, readAt });
  }

  #isRecent({ readAt }: HeldJoint): boolean {
    return ageMs(readAt, this.#options.clock()) < recentMs;
  }

  #later(scope: RepositoryScope): LaterRecord {
    const name = nameOf(scope);
    if (!this.#laterRecords.has(name)) this.#laterRecords.set(name, true);
    return new LaterRecord(`a later version wrote the joint record of the members of ${name}`);
  }

  #dissolved(scope: RepositoryScope): 'single' {
    this.#joint.delete(nameOf(scope));
    this.#single.set(nameOf(scope), true);
    return 'single';
  }

  #keep(scope: RepositoryScope, joint: HeldJoint): HeldJoint {
    this.#joint.set(nameOf(scope), joint);
    return joint;
  }

  #hasSingles(scope: RepositoryScope): Promise<boolean> {
    return hasAny(this.#options.records, singleMembersPrefix(scope));
  }

  async #start(): Promise<number> {
    const { records, clock } = this.#options;
    this.#startMs ??= await this.#starting('', () => jointStart(records, clock()));
    return this.#startMs;
  }

  /** Whether the first members of a repository go into a joint record. */
  async #mayJoin(scope: RepositoryScope): Promise<boolean> {
    const startMs = await this.#start();
    if (startMs === 0) return true;
    return this.#options.clock() >= startMs + skewMs && !(await this.#hasSingles(scope));
  }

  /** What waits for the joint record's turn: additions that come meanwhile are one write. */
  #batchOf(scope: RepositoryScope): JointBatch {
    const name = nameOf(scope);
    const found = this.#waiting.get(name);
    if (found !== undefined) return found;
    const additions = new Map<Digest, IndexEntry>();
    const before = this.#running.get(name) ?? new Promise(setImmediate);
    const written = before.then(() => {
      this.#waiting.delete(name);
      return this.#writeJoint(scope, additions);
    });
    const ended = written.then(none, none).finally(() => {
      if (this.#running.get(name) === ended) this.#running.delete(name);
    });
    this.#running.set(name, ended);
    const batch = { additions, written };
    this.#waiting.set(name, batch);
    return batch;
  }

  /** Resolves to what the record then says; to nothing where each member has its own. */
  async #writeJoint(
    scope: RepositoryScope,
    additions: ReadonlyMap<Digest, IndexEntry>,
  ): Promise<ReadonlyMap<Digest, IndexEntry>> {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const layout = this.#joint.get(nameOf(scope)) ?? (await this.#layout(scope));
      if (layout === 'single' || (layout === 'none' && !(await this.#mayJoin(scope)))) return nothing;
      const { record, version } = layout === 'none' ? { record: emptyJoint, version: 'absent' } : layout;
      const members = this.#joined(scope, record.members, additions);
      if (members === record.members) return members;
      if (await this.#put(scope, { members, isDissolved: false }, version)) return members;
    }
    throw new Error('the joint record changed during every attempt to write it');
  }

  #joined(
    scope: RepositoryScope,
    before: ReadonlyMap<Digest, IndexEntry>,
    additions: ReadonlyMap<Digest, IndexEntry>,
  ): ReadonlyMap<Digest, IndexEntry> {
    const after = new Map(before);
    for (const [digest, member] of additions)
      after.set(digest, this.#options.merged(scope, before.get(digest), member));
    const isNews = [...additions.keys()].some((digest) => after.get(digest) !== before.get(digest));
    return isNews ? after : before;
  }

  /** False where another replica was faster, and where the record was too small for its members. */
  async #put(scope: RepositoryScope, record: JointRecord, ifVersion: string): Promise<boolean> {
    const { records, by } = this.#options;
    const bytes = jointBytes(record, by);
    const isTooLarge = bytes.byteLength > this.#maxJointBytes;
    if (isTooLarge) await this.#writeSingles(scope, record.members);
    const written = isTooLarge ? jointBytes(dissolvedJoint, by) : bytes;
    const version = await records.put(jointKey(scope), written, { ifVersion });
    if (version === undefined || isTooLarge) this.#joint.delete(nameOf(scope));
    else this.#keep(scope, { record, version, bytes: bytes.byteLength, readAt: never });
    return version !== undefined && !isTooLarge;
  }

  /** Before the joint record says that they have one each: a process that ends here loses none. */
  async #writeSingles(scope: RepositoryScope, members: ReadonlyMap<Digest, IndexEntry>): Promise<void> {
    await concurrently(members, dissolvedAtATime, async ([digest, member]) => {
      await this.#singles.write({ scope, digest, member, isNew: true });
    });
  }
}

/** What records say of one member, for a look without a cache. */
export function readMember(
  records: Records,
  scope: RepositoryScope,
  digest: Digest,
): Promise<IndexEntry | undefined> {
  const merged: MergedMember = (_scope, _before, seen) => seen;
  return new MemberRecords({ records, merged, concurrency: 1, clock: Date.now }).read(scope, digest, true);
}

const nothing: ReadonlyMap<Digest, IndexEntry> = new Map();
const none = (): void => undefined;

function nameOf({ upstream, repository }: RepositoryScope): string {
  return `${upstream}/${repository}`;
}
