import { createLru } from '../../base/state/lru.ts';
import { createS3Presence } from '../../store/s3/s3-presence.ts';
import { partBytesOf } from '../../store/s3/s3-put.ts';
import type { ContentTable, SimulatedRepository } from '../model/contents.ts';
import type { SimulatedCounts } from '../model/counts.ts';
import type { SimulatedSite } from '../model/settings.ts';
import type { VirtualClock } from '../model/virtual-clock.ts';
import type { SimulatedStore } from './stored.ts';

/** As `store/s3/s3-blobs.ts` has them. */
const partBytes = 8 * 1024 * 1024;
const presenceEntries = 200_000;
/** Members that a repository has in one record, about: 128 KiB of some 160 bytes each. */
const jointMembers = 800;
/** As `cache/records/repository-index.ts` has it, of each repository. */
const memberEntries = 100_000;

/** What one replica asks of the bucket for one thing that it does, as `test/s3-calls` counts it. */
export class ReplicaCalls {
  readonly #clock: VirtualClock;
  readonly #contents: ContentTable;
  readonly #medium: SimulatedStore;
  readonly #site: SimulatedSite;
  readonly #tally: SimulatedCounts;
  readonly #presence;
  readonly #members = createLru<number, true>(memberEntries);
  /** Repositories of which the joint record was read. */
  readonly #joints = createLru<number, true>(memberEntries);
  readonly #reading = new Map<number, { readonly untilMs: number; calls: number }>();

  constructor(parts: {
    readonly clock: VirtualClock;
    readonly contents: ContentTable;
    readonly medium: SimulatedStore;
    readonly site: SimulatedSite;
    readonly tally: SimulatedCounts;
  }) {
    this.#clock = parts.clock;
    this.#contents = parts.contents;
    this.#medium = parts.medium;
    this.#site = parts.site;
    this.#tally = parts.tally;
    this.#presence = createS3Presence(presenceEntries, parts.clock.now);
  }

  readRecord(): void {
    this.#tally.s3Reads.add(this.#clock.now());
  }

  writeRecord(count = 1): void {
    if (count > 0) this.#tally.s3Writes.add(this.#clock.now(), count);
  }

  /** The record of a member of the repository, or the one of all of a small repository. */
  lookUp({ index, members }: SimulatedRepository, id: number): void {
    const key = index * 2 ** 32 + id;
    if (this.#members.has(key)) return;
    this.readRecord();
    this.#joints.set(index, true);
    if (members.size <= jointMembers)
      for (const each of members) this.#members.set(index * 2 ** 32 + each, true);
    else if (members.has(id)) this.#members.set(key, true);
  }

  /** The upstream showed these in the repository. */
  addMembers({ index, members }: SimulatedRepository, ids: readonly number[]): void {
    let added = 0;
    // The record of all of a small repository is read before it is written.
    if (members.size <= jointMembers && !this.#joints.has(index)) this.readRecord();
    this.#joints.set(index, true);
    for (const id of ids) {
      if (!members.has(id)) added += 1;
      members.add(id);
      this.#members.set(index * 2 ** 32 + id, true);
    }
    if (added > 0) this.writeRecord(members.size <= jointMembers ? 1 : added);
  }

  /** A read of all of it, or the news that it is not there. False: it is not. */
  open(id: number, keepsCopies: boolean): boolean {
    const digest = this.#contents.digest(id);
    const isThere = this.#medium.has(id);
    const isKnown = this.#presence.knows(digest);
    if (!isThere) {
      if (!isKnown) this.readRecord();
      this.#presence.forget(digest);
      return false;
    }
    this.#presence.learn(digest, this.#contents.size(id));
    const now = this.#clock.now();
    const running = this.#reading.get(id);
    if (running !== undefined && now < running.untilMs) {
      // Without a disk the second of overlapping readers begins a read for all who follow.
      if (!keepsCopies && running.calls < 2) {
        running.calls += 1;
        this.readRecord();
      }
      return true;
    }
    this.readRecord();
    const untilMs = now + this.readMs(id);
    if (untilMs > now) {
      this.#reading.set(id, { untilMs, calls: 1 });
      this.#clock.at(untilMs, () => this.#reading.delete(id));
    }
    return true;
  }

  /** How long a read takes, milliseconds. */
  readMs(id: number): number {
    return (this.#contents.size(id) / this.#site.s3BytesPerSecond) * 1000;
  }

  /** Whether the bucket still has what a disk before it has: asked once an hour. */
  confirm(id: number): boolean {
    const digest = this.#contents.digest(id);
    if (this.#presence.knows(digest)) return true;
    this.readRecord();
    const isThere = this.#medium.has(id);
    if (isThere) this.#presence.learn(digest, this.#contents.size(id));
    else this.#presence.forget(digest);
    return isThere;
  }

  put(id: number): void {
    const size = this.#contents.size(id);
    const each = partBytesOf(size, partBytes);
    this.writeRecord(size <= each ? 1 : Math.ceil(size / each) + 2);
    this.#presence.learn(this.#contents.digest(id), size);
  }

  forget(id: number): void {
    this.#presence.forget(this.#contents.digest(id));
  }
}
