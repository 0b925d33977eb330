// Room `simulate/replicas`: replicas, their stores and their upstream, by the decisions of the
// product and without its I/O. In: questions of clients. Out: who answers them, and when. Imports:
// base, cache/blobs, cache/eviction, cache/records, cache/registry, oci, simulate/model,
// store/disk-tier, store/s3, upstream/resilience.

import { createContentMemory } from '../../cache/blobs/content-memory.ts';
import { UseNotes } from '../../cache/eviction/usage.ts';
import { mostFiles } from '../../store/disk-tier/kept-files.ts';
import { UseOrder } from '../../store/disk-tier/use-order.ts';
import type { ContentTable, Owners, SimulatedReference, SimulatedRepository } from '../model/contents.ts';
import type { SimulatedCounts, SimulatedRead } from '../model/counts.ts';
import type { SimulatedFleet, SimulatedSite } from '../model/settings.ts';
import type { VirtualClock } from '../model/virtual-clock.ts';
import { ReplicaCalls } from './s3-calls.ts';
import type { SimulatedStore } from './stored.ts';
import { ReplicaTags, type TagRecord } from './tags.ts';
import type { SimulatedUpstream, UpstreamOutcome } from './upstream.ts';

/** What all replicas share. */
export interface ReplicaParts {
  readonly clock: VirtualClock;
  readonly contents: ContentTable;
  readonly owners: Owners;
  readonly upstream: SimulatedUpstream;
  readonly fleet: SimulatedFleet;
  readonly site: SimulatedSite;
  readonly tally: SimulatedCounts;
  /** By number. */
  readonly replica: (index: number) => Replica;
  /** When content was last used, as the records say: milliseconds by content. */
  readonly recordedUses: Map<number, number>;
}

/** What came of a question: the read, or when to come again. */
export type ReadOutcome = SimulatedRead | { readonly retryAfterSeconds: number };

/** Called when the last byte is here. */
export type ReadDone = (outcome: ReadOutcome) => void;

/** A download under way, with those who wait for it. */
interface SimulatedFill {
  readonly waiting: ReadDone[];
}

/**
 * One replica: what it answers from, in the order of `cache/blobs/pull-through.ts`, and what it
 * keeps. Nothing here waits but by the virtual clock.
 */
export class Replica {
  readonly index: number;
  readonly medium: SimulatedStore;
  readonly tags: ReplicaTags;
  readonly notes = new UseNotes<number>();
  readonly s3: ReplicaCalls | undefined;
  readonly disk: UseOrder | undefined;
  readonly #parts: ReplicaParts;
  readonly #memory;
  readonly #fills = new Map<number, SimulatedFill>();

  constructor(index: number, medium: SimulatedStore, records: Map<string, TagRecord>, parts: ReplicaParts) {
    const { fleet } = parts;
    this.index = index;
    this.medium = medium;
    this.#parts = parts;
    this.#memory = createContentMemory<{ readonly bytes: number }>(fleet.memory, ({ bytes }) => bytes);
    this.s3 = fleet.medium === 's3' ? new ReplicaCalls({ ...parts, medium }) : undefined;
    this.disk = fleet.diskBytes === undefined || this.s3 === undefined ? undefined : new UseOrder();
    this.tags = new ReplicaTags(this, records, parts);
  }

  /** A blob for a client, or for another replica. */
  blob(repository: SimulatedRepository, id: number, done: ReadDone): void {
    this.s3?.lookUp(repository, id);
    this.notes.touched(id);
    if (this.#isInMemory(id)) done({ hit: 'memory', isMiss: false });
    else if (this.#isStored(id)) done({ hit: 'store', isMiss: false });
    else this.#filled(repository, id, 'blob', done);
  }

  /** A manifest by digest, for a client or for another replica. */
  manifest(repository: SimulatedRepository, id: number, done: ReadDone): void {
    this.s3?.lookUp(repository, id);
    this.notes.touched(id);
    const isKnown = this.s3 === undefined || repository.members.has(id);
    if (this.#isInMemory(id)) done({ hit: 'memory', isMiss: false });
    else if (isKnown && this.#isStored(id)) done({ hit: 'store', isMiss: false });
    else this.#filled(repository, id, 'manifest', done);
  }

  /** The upstream has sent the manifest of a tag to this replica, or to the owner that told it. */
  keepManifest(repository: SimulatedRepository, id: number, isOwn: boolean): void {
    const { contents } = this.#parts;
    this.notes.touched(id);
    this.#remember(id);
    this.s3?.addMembers(repository, [id, ...(contents.references(id) ?? [])]);
    if (this.medium.has(id) || (this.s3 !== undefined && !isOwn)) return;
    this.#put(id);
  }

  /** The content has left the store by this replica's hand. */
  deleted(id: number): void {
    const digest = this.#parts.contents.digest(id);
    this.#memory.delete(digest);
    this.disk?.remove(digest);
    this.s3?.forget(id);
  }

  /** Another replica asks, and gets the bytes when they are here. */
  member(from: Replica, bytes: number, read: (done: ReadDone) => void, done: ReadDone): void {
    const { clock, site, tally } = this.#parts;
    const begunAt = clock.now();
    read((outcome) => {
      const now = clock.now();
      const untilMs = Math.max(now, begunAt + (bytes / site.clientBytesPerSecond) * 1000);
      if ('hit' in outcome && from !== this) tally.members.add(begunAt, untilMs, bytes);
      clock.at(untilMs, () => done(outcome));
    });
  }

  #isInMemory(id: number): boolean {
    return this.#memory.get(this.#parts.contents.digest(id)) !== undefined;
  }

  /** On the disk before the bucket, in the bucket, or in the directory of this replica. */
  #isStored(id: number): boolean {
    const { clock, contents } = this.#parts;
    const digest = contents.digest(id);
    if (this.disk?.size(digest) !== undefined) {
      this.disk.use(digest, clock.now());
      if (this.s3?.confirm(id) === false) this.disk.remove(digest);
      this.#remember(id);
      return true;
    }
    if (this.s3 === undefined ? !this.medium.has(id) : !this.s3.open(id, this.disk !== undefined))
      return false;
    this.#remember(id);
    if (this.disk !== undefined && this.s3 !== undefined)
      clock.at(clock.now() + this.s3.readMs(id), () => this.#keepNear(id));
    return true;
  }

  /** From the upstream where this replica owns it, else from its owner: once for all who wait. */
  #filled(repository: SimulatedRepository, id: number, kind: 'manifest' | 'blob', done: ReadDone): void {
    const running = this.#fills.get(id);
    if (running !== undefined) {
      running.waiting.push((outcome) => done('hit' in outcome ? { hit: 'joined', isMiss: false } : outcome));
      return;
    }
    const { owners, contents, upstream, replica } = this.#parts;
    const fill: SimulatedFill = { waiting: [done] };
    this.#fills.set(id, fill);
    const ended = (outcome: ReadOutcome): void => {
      this.#fills.delete(id);
      for (const each of fill.waiting) each(outcome);
    };
    const owner = replica(owners.ofContent(repository, id));
    const bytes = contents.size(id);
    if (owner === this) {
      upstream.ask(this.index, {
        ...{ kind, bytes },
        done: (outcome) => ended(this.#received(repository, id, kind, outcome)),
      });
      return;
    }
    const read = (answered: ReadDone): void => owner[kind](repository, id, answered);
    owner.member(this, bytes, read, (outcome) => {
      if ('hit' in outcome) this.#followed(repository, id, kind);
      const isMiss = 'hit' in outcome && outcome.isMiss;
      ended('hit' in outcome ? { hit: 'member', isMiss } : outcome);
    });
  }

  #received(
    repository: SimulatedRepository,
    id: number,
    kind: 'manifest' | 'blob',
    outcome: UpstreamOutcome,
  ): ReadOutcome {
    if (outcome !== 'answered') return outcome;
    const { tally, contents } = this.#parts;
    if (this.medium.wasEvicted(id)) tally.refetchedBytes += contents.size(id);
    if (kind === 'manifest') this.keepManifest(repository, id, true);
    else {
      this.s3?.addMembers(repository, [id]);
      this.#put(id);
      this.#keepNear(id);
    }
    return { hit: 'fill', isMiss: true };
  }

  /** What came from its owner is stored here too, where each replica has a store of its own. */
  #followed(repository: SimulatedRepository, id: number, kind: 'manifest' | 'blob'): void {
    if (kind === 'manifest') this.keepManifest(repository, id, false);
    else if (this.s3 === undefined) this.#put(id);
    else this.#keepNear(id);
  }

  #put(id: number): void {
    const { clock, tally } = this.#parts;
    this.medium.put(id, clock.now());
    this.s3?.put(id);
    tally.stored(this.medium.bytes);
  }

  #remember(id: number): void {
    const { contents, fleet } = this.#parts;
    const bytes = contents.size(id);
    if (bytes <= fleet.memory.maxEntryBytes) this.#memory.set(contents.digest(id), { bytes });
  }

  /** A copy on the disk before the bucket: others make room for it. */
  #keepNear(id: number): void {
    const { clock, contents, fleet, tally } = this.#parts;
    if (this.disk === undefined || fleet.diskBytes === undefined) return;
    this.disk.add(contents.digest(id), contents.size(id), clock.now());
    const room = { maxBytes: fleet.diskBytes, maxFiles: mostFiles, pendingBytes: 0 };
    for (let next = this.disk.surplus(room); next !== undefined; next = this.disk.surplus(room)) {
      tally.diskEvicted += 1;
      tally.diskEvictedBytes += this.disk.size(next) ?? 0;
      this.disk.remove(next);
    }
  }
}

/** The answer of `replica` for a reference, by tag or by digest. */
export function manifestOf(replica: Replica, reference: SimulatedReference, done: ReadDone): void {
  if (reference.tag === undefined) replica.manifest(reference.repository, reference.manifest, done);
  else replica.tags.resolve(reference, done);
}
