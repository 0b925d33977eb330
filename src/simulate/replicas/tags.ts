import { createLru } from '../../base/state/lru.ts';
import { ageMs } from '../../base/time/wait.ts';
import {
  confirmed,
  freshness,
  mayServeStale,
  moved,
  type TagPointer,
} from '../../cache/records/freshness.ts';
import { confirmEveryMs, tagPointers } from '../../cache/registry/context.ts';
import type { SimulatedReference } from '../model/contents.ts';
import type { ReadDone, Replica, ReplicaParts } from './replica.ts';

/** What a replica knows of a tag. */
export interface TagRecord {
  readonly pointer: TagPointer;
  readonly manifest: number;
  /** When the record says that it was confirmed, milliseconds. */
  readonly writtenAt: number;
}

/** What a question to the upstream, or to the owner, brought. */
type Refreshed = 'refreshed' | { readonly retryAfterSeconds: number };

const ofManifests = 'application/vnd.oci.image.manifest.v1+json';

/** The tags of one replica, believed and asked about as `cache/manifests/tag-resolver.ts` does. */
export class ReplicaTags {
  readonly #replica: Replica;
  readonly #records: Map<string, TagRecord>;
  readonly #parts: ReplicaParts;
  readonly #known = createLru<string, TagRecord>(tagPointers);
  readonly #asking = new Map<string, ((refreshed: Refreshed, isMiss: boolean) => void)[]>();

  constructor(replica: Replica, records: Map<string, TagRecord>, parts: ReplicaParts) {
    this.#replica = replica;
    this.#records = records;
    this.#parts = parts;
  }

  resolve(reference: SimulatedReference, done: ReadDone): void {
    const { clock, fleet } = this.#parts;
    const known = this.#find(reference);
    if (known === undefined) {
      this.#refresh(reference, undefined, (refreshed, isMiss) =>
        done(refreshed === 'refreshed' ? { hit: 'fill', isMiss } : refreshed),
      );
      return;
    }
    const verdict = freshness(reference.tag ?? '', known.pointer, fleet.tags, clock.now());
    const answered = (manifest: number): void => this.#replica.manifest(reference.repository, manifest, done);
    if (verdict !== 'ask') answered(known.manifest);
    if (verdict === 'answer') return;
    this.#refresh(reference, known, (refreshed) => {
      if (verdict !== 'ask') return;
      const isOld = refreshed !== 'refreshed' && mayServeStale(known.pointer, fleet.tags, clock.now());
      if (refreshed === 'refreshed') answered(this.#find(reference)?.manifest ?? known.manifest);
      else if (isOld) done({ hit: 'stale', isMiss: false });
      else done(refreshed);
    });
  }

  /** In memory, else by its record. */
  #find(reference: SimulatedReference): TagRecord | undefined {
    const key = keyOf(reference);
    const held = this.#known.get(key);
    if (held !== undefined) return held;
    this.#replica.s3?.readRecord();
    const recorded = this.#records.get(key);
    if (recorded !== undefined) this.#known.set(key, recorded);
    return recorded;
  }

  /** Once for all who wait. */
  #refresh(
    reference: SimulatedReference,
    known: TagRecord | undefined,
    done: (refreshed: Refreshed, isMiss: boolean) => void,
  ): void {
    const key = keyOf(reference);
    const waiting = this.#asking.get(key);
    if (waiting !== undefined) {
      waiting.push((refreshed) => done(refreshed, false));
      return;
    }
    this.#asking.set(key, [done]);
    const { owners, replica } = this.#parts;
    const ended = (refreshed: Refreshed, isMiss: boolean): void => {
      const all = this.#asking.get(key) ?? [];
      this.#asking.delete(key);
      for (const each of all) each(refreshed, isMiss);
    };
    const owner = replica(owners.ofReference(reference));
    if (owner === this.#replica) this.#askUpstream(reference, known, ended);
    else this.#askOwner(owner, reference, known, ended);
  }

  #askUpstream(
    reference: SimulatedReference,
    known: TagRecord | undefined,
    ended: (refreshed: Refreshed, isMiss: boolean) => void,
  ): void {
    const { clock, contents, upstream, tally } = this.#parts;
    const bytes = known === undefined ? contents.size(reference.manifest) : 0;
    if (known !== undefined) tally.revalidations += 1;
    upstream.ask(this.#replica.index, {
      kind: 'manifest',
      bytes,
      done: (outcome) => {
        if (outcome !== 'answered') {
          ended(outcome, false);
          return;
        }
        const { manifest, repository } = reference;
        if (known === undefined) this.#replica.keepManifest(repository, manifest, true);
        this.#set(reference, manifest, clock.now());
        ended('refreshed', known === undefined);
      },
    });
  }

  /** The owner answers by what it believes, which may be as old as it lets it be. */
  #askOwner(
    owner: Replica,
    reference: SimulatedReference,
    known: TagRecord | undefined,
    ended: (refreshed: Refreshed, isMiss: boolean) => void,
  ): void {
    const { contents } = this.#parts;
    const bytes = known === undefined ? contents.size(reference.manifest) : 0;
    owner.member(
      this.#replica,
      bytes,
      (done) => owner.tags.resolve(reference, done),
      (outcome) => {
        if (!('hit' in outcome)) {
          ended(outcome, false);
          return;
        }
        const told = owner.tags.#find(reference);
        if (
          told !== undefined &&
          (known === undefined || told.pointer.checkedAt >= known.pointer.checkedAt)
        ) {
          if (known === undefined) this.#replica.keepManifest(reference.repository, told.manifest, false);
          this.#set(reference, told.manifest, told.pointer.checkedAt);
        }
        ended('refreshed', outcome.isMiss);
      },
    );
  }

  /** In force at once; on record when it says something new. */
  #set(reference: SimulatedReference, manifest: number, checkedAt: number): void {
    const { contents } = this.#parts;
    const key = keyOf(reference);
    const before = this.#known.get(key);
    const digest = contents.digest(manifest);
    const after = { digest, mediaType: ofManifests, size: contents.size(manifest), checkedAt };
    const isSame = before?.manifest === manifest;
    const pointer = isSame ? confirmed(before.pointer, checkedAt) : moved(before?.pointer, after, 1);
    const isNews = !isSame || ageMs(before.writtenAt, checkedAt) >= confirmEveryMs;
    const record = { pointer, manifest, writtenAt: isNews ? checkedAt : before.writtenAt };
    this.#known.set(key, record);
    if (!isNews) return;
    this.#records.set(key, record);
    this.#replica.s3?.writeRecord();
  }
}

function keyOf({ repository, tag }: SimulatedReference): string {
  return `${repository.name}:${tag ?? ''}`;
}
