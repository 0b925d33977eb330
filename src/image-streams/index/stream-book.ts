import type { Digest } from '../../oci/digest.ts';
import type { StreamObserver } from '../follow.ts';
import { latestFirst, type NamedDigest, namedDigests, type PlaceOf } from '../references.ts';
import type { StreamPlace, StreamReference } from '../stream-index.ts';
import type { ImageStreamObject } from '../stream-tags.ts';
import { type KnownStream, knownStream, StreamGaps, streamKey } from './known-streams.ts';
import { isLong, keyOf, type NumberedPlace, PlaceNumbers } from './place-numbers.ts';
import { keyBytes, ReferenceTable } from './reference-table.ts';
import { type ReferenceCopy, type StreamCopy, type StreamItem, streamItemOf } from './stream-copy.ts';
import {
  type BookSize,
  crowdOf,
  type DigestCrowd,
  StreamRoom,
  type StreamRoomOptions,
} from './stream-room.ts';
import { pairOf, TagNumbers } from './tag-numbers.ts';

interface StreamBookOptions extends StreamRoomOptions {
  readonly placeOf: PlaceOf;
  /** How long a tag that names something else counts, by upstream, milliseconds. */
  readonly formerMs: (upstream: string) => number;
  /** Called after what a stream names has changed, and after it is no more. */
  readonly changed?: (stream: StreamItem) => void;
  /** The clock, ms since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** References of one stream; an object of etcd, of 1.5 MiB, holds about half as many. */
const mostOfStream = 20_000;

/** All streams of a cluster, and what they name: the memory of the index, without waiting. */
export class StreamBook {
  readonly #options: StreamBookOptions;
  readonly #now: () => number;
  readonly #table = new ReferenceTable();
  readonly #streams = new Map<string, KnownStream>();
  readonly #tags = new TagNumbers<KnownStream>();
  readonly #places = new PlaceNumbers();
  readonly #room: StreamRoom;
  readonly #gaps = new StreamGaps();
  #looks = 0;

  constructor(options: StreamBookOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#room = new StreamRoom(options);
  }

  get size(): BookSize {
    return {
      streams: this.#streams.size,
      tags: this.#tags.size,
      digests: this.#table.rows,
      references: this.#table.references,
      refused: this.#room.refused,
    };
  }

  /** Tags that name the digest now or did within `formerMs`; the present ones first. */
  naming(where: StreamPlace, digest: Digest): readonly StreamReference[] {
    const row = this.#rowOf(where, digest);
    if (row === undefined) return [];
    const oldest = this.#now() - this.#options.formerMs(where.upstream);
    const present: StreamReference[] = [];
    const former: StreamReference[] = [];
    this.#table.each(row, (reference) => {
      const held = this.#tags.of(this.#table.tagOf(reference));
      if (held === undefined) return;
      const { tag, stream } = held;
      const until = this.#table.untilOf(reference);
      const { namespace, name } = stream;
      if (until === 0) present.push({ namespace, name, tag });
      else if (until > oldest) former.push({ namespace, name, tag, until });
    });
    return former.length === 0 ? present : [...present, ...former];
  }

  /** False while there was no room for some stream, or for a reference of it. */
  get isWhole(): boolean {
    return this.#gaps.isEmpty;
  }

  /** Whether further references to the digest may have been refused, as it has so many. */
  isCrowded(where: StreamPlace, digest: Digest): boolean {
    const row = this.#rowOf(where, digest);
    return row !== undefined && this.#room.isCrowded(this.#crowdOf(row));
  }

  /** Changes when a tag begins or ceases to name the digest. Looked at after each change. */
  markOf(where: StreamPlace, digest: Digest): string {
    const row = this.#rowOf(where, digest);
    return row === undefined ? '' : this.#table.markOf(row);
  }

  /** What following tells of the streams of one namespace, or of all. */
  observer(namespace?: string): StreamObserver {
    const book = this;
    return {
      get streams() {
        return book.size.streams;
      },
      get tags() {
        return book.size.tags;
      },
      saw: (stream) => book.saw(stream),
      lost: (stream) => book.lost(stream),
      look: () => book.#look(namespace),
    };
  }

  /** Takes over what the stream names now. Returns how many references changed. */
  saw(object: ImageStreamObject): number {
    const item = streamItemOf(object.metadata ?? {});
    if (item === undefined) return 0;
    const { namespace, name, uid, version } = item;
    const key = streamKey(namespace, name);
    const before = this.#streams.get(key);
    // Another stream under the same name may be another author's: the past is not theirs.
    const dropped = before !== undefined && before.uid !== uid ? this.#drop(before) : 0;
    const known = this.#streams.get(key) ?? this.#made({ namespace, name, uid });
    this.#gaps.read(key, this.#looks, known !== undefined);
    if (known === undefined) return dropped;
    known.version = version;
    known.look = this.#looks;
    const changed = dropped + this.#named(known, namedDigests(object, this.#options.placeOf));
    if (changed > 0) this.#options.changed?.(known);
    return changed;
  }

  /** The stream is no more, and nothing that it named counts, also not as former. */
  lost({ metadata }: ImageStreamObject): number {
    const key = streamKey(metadata?.namespace ?? '', metadata?.name ?? '');
    this.#gaps.lost(key);
    const known = this.#streams.get(key);
    return known === undefined ? 0 : this.#lose(known);
  }

  /** Forgets what no longer counts as former. Call it from time to time. */
  expire(): void {
    const used = new Set<number>();
    for (const known of this.#streams.values()) {
      for (const reference of known.references) {
        const until = this.#table.untilOf(reference);
        const place = this.#table.placeOf(this.#table.rowOf(reference));
        if (until !== 0 && until <= this.#oldestOf(this.#places.placeOf(place).upstream))
          this.#remove(known, reference);
        else used.add(place);
      }
      this.#tags.keep(known, new Set([...known.references].map((each) => this.#table.tagOf(each))));
    }
    this.#places.keep(used);
  }

  /** Every stream, without what it names. */
  streams(): Iterable<StreamItem> {
    return this.#streams.values();
  }

  copy({ namespace, name }: Pick<StreamItem, 'namespace' | 'name'>): StreamCopy | undefined {
    const known = this.#streams.get(streamKey(namespace, name));
    if (known === undefined) return undefined;
    const references = [...known.references].map((reference): ReferenceCopy => {
      const row = this.#table.rowOf(reference);
      const place = this.#places.placeOf(this.#table.placeOf(row));
      const tag = this.#tags.of(this.#table.tagOf(reference))?.tag ?? '';
      return { ...place, tag, key: this.#table.keyOf(row), until: this.#table.untilOf(reference) };
    });
    const { uid, version } = known;
    return { namespace, name, uid, version, references };
  }

  /** Takes in a copy of a stream of which nothing is known yet. */
  restore({ references, version, ...stream }: StreamCopy): void {
    if (this.#streams.has(streamKey(stream.namespace, stream.name))) return;
    const known = this.#made(stream);
    if (known === undefined) return;
    known.version = version;
    for (const { key, tag, until, ...place } of references)
      if (key.length === keyBytes && this.#hasRoom(known, undefined))
        this.#add(known, tag, place, key, until);
  }

  /** Undefined where there are too many. */
  #made(stream: Pick<StreamItem, 'namespace' | 'name' | 'uid'>): KnownStream | undefined {
    if (!this.#room.hasStream(stream.namespace, this.#streams.size)) return undefined;
    const known = knownStream(stream, this.#looks);
    this.#streams.set(streamKey(stream.namespace, stream.name), known);
    return known;
  }

  #rowOf({ upstream, repository }: StreamPlace, digest: Digest): number | undefined {
    const place = this.#places.find({ upstream, repository, isLong: isLong(digest) });
    return place === undefined ? undefined : this.#table.find(place, keyOf(digest));
  }

  #look(namespace: string | undefined): () => number {
    this.#looks += 1;
    const begun = this.#looks;
    return () => {
      const gone = [...this.#streams.values()].filter(
        (known) => known.look < begun && (namespace === undefined || known.namespace === namespace),
      );
      this.#gaps.looked(begun, namespace);
      return gone.reduce((sum, known) => sum + this.#lose(known), 0);
    };
  }

  #lose(known: KnownStream): number {
    const dropped = this.#drop(known);
    this.#options.changed?.(known);
    return dropped;
  }

  #drop(known: KnownStream): number {
    const dropped = known.references.size;
    for (const reference of known.references) this.#remove(known, reference);
    this.#tags.keep(known, new Set());
    this.#streams.delete(streamKey(known.namespace, known.name));
    return dropped;
  }

  /** Compares with what was known. What a tag names no longer, it named until now. */
  #named(known: KnownStream, named: readonly NamedDigest[]): number {
    const left = new Map<number, number>();
    for (const reference of known.references) left.set(this.#pairOf(reference), reference);
    const seen = new Set<number>();
    let changed = 0;
    // The present meaning comes first, and of former ones the latest: those decide.
    for (const { tag, place, digest, until } of latestFirst(named)) {
      const { upstream, repository } = place;
      const numbered = { upstream, repository, isLong: isLong(digest) };
      const key = keyOf(digest);
      const number = this.#places.find(numbered);
      const row = number === undefined ? undefined : this.#table.find(number, key);
      const pair = row === undefined ? undefined : pairOf(known.tags.get(tag), row);
      if (pair !== undefined && seen.has(pair)) continue;
      const reference = pair === undefined ? undefined : left.get(pair);
      if (reference !== undefined && pair !== undefined) {
        seen.add(pair);
        left.delete(pair);
        changed += this.#ended(reference, until);
      } else if (until === 0 || until > this.#oldestOf(upstream)) {
        if (!this.#hasRoom(known, row)) continue;
        seen.add(this.#pairOf(this.#add(known, tag, numbered, key, until)));
        changed += 1;
      }
    }
    for (const reference of left.values())
      if (this.#table.untilOf(reference) === 0) changed += this.#ended(reference, this.#now());
    this.#trim(known);
    return changed;
  }

  /** The oldest former meanings go where a stream's author makes ever new ones. */
  #trim(known: KnownStream): void {
    const tooMany = known.references.size - mostOfStream;
    const former = tooMany > 0 ? this.#table.oldest(known.references, tooMany) : [];
    for (const reference of former) this.#remove(known, reference);
  }

  #ended(reference: number, until: number): number {
    if (this.#table.untilOf(reference) === until) return 0;
    this.#table.end(reference, until);
    return 1;
  }

  /** For one more reference of the stream to what the row stands for, if it has one. */
  #hasRoom({ namespace, name }: KnownStream, row: number | undefined): boolean {
    if (this.#room.hasReference(namespace, row === undefined ? undefined : this.#crowdOf(row))) return true;
    // A crowd is of its digest alone.
    if (this.#room.isFull(namespace)) this.#gaps.read(streamKey(namespace, name), this.#looks, false);
    return false;
  }

  #crowdOf(row: number): DigestCrowd {
    return crowdOf(this.#table, row, (tag) => this.#tags.of(tag)?.stream.namespace);
  }

  #add(known: KnownStream, tag: string, place: NumberedPlace, key: Uint8Array, until: number): number {
    const reference = this.#table.add(this.#places.number(place), key, this.#tags.number(known, tag), until);
    known.references.add(reference);
    this.#room.take(known.namespace);
    return reference;
  }

  #remove(known: KnownStream, reference: number): void {
    known.references.delete(reference);
    this.#table.remove(reference);
    this.#room.free(known.namespace);
  }

  #pairOf(reference: number): number {
    return pairOf(this.#table.tagOf(reference), this.#table.rowOf(reference)) ?? -1;
  }

  #oldestOf(upstream: string): number {
    return this.#now() - this.#options.formerMs(upstream);
  }
}
