// Room `image-streams/index`: which image streams name which digest. In: streams of a cluster, as
// they are followed, and records of the store. Out: a StreamIndex with its states. Imports: base,
// image-streams, oci.

import { type Clock, systemClock, type Timer } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';
import type { FollowEvents } from '../follow.ts';
import type { ImageStreams } from '../image-streams.ts';
import type { PlaceOf } from '../references.ts';
import type { StreamIndex, StreamPlace, StreamReference } from '../stream-index.ts';
import { AwaitedDigests } from './awaited-digests.ts';
import type { StreamIndexEvents } from './events.ts';
import { IndexState } from './index-state.ts';
import { KeptStreams, type StreamRecords } from './kept-streams.ts';
import { StreamBook } from './stream-book.ts';
import type { StreamItem } from './stream-copy.ts';

interface FollowedStreamsOptions {
  readonly cluster: string;
  /** The streams of the cluster, telling these events of how they are followed. */
  readonly imageStreams: (events: FollowEvents) => Pick<ImageStreams, 'observe'>;
  /** Default: all, which takes the right to list and watch image streams of every namespace. */
  readonly namespaces?: readonly string[];
  readonly trusted: readonly string[];
  /** How long what is known counts while the cluster does not answer, milliseconds. */
  readonly staleMs: number;
  readonly placeOf: PlaceOf;
  /** How long a tag that names something else counts, by upstream, milliseconds. */
  readonly formerMs: (upstream: string) => number;
  /** Where the index is kept. Default: nowhere. */
  readonly kept?: {
    readonly records: StreamRecords;
    readonly keyOf: (part: string) => string;
    /** Of all that decides which references count. */
    readonly settings: string;
    readonly everyMs?: number;
  };
  /** Room for references of untrusted streams, and as much for trusted ones. Default: 2,000,000. */
  readonly maxReferences?: number;
  readonly events: StreamIndexEvents;
  readonly clock?: Clock;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** How often what no longer counts as former is forgotten, milliseconds. */
const expireEveryMs = 3_600_000;
/** The records are read for so long before the cluster is listed, milliseconds. */
const longestLoadMs = 15_000;

interface LookedAt {
  readonly place: StreamPlace;
  readonly digest: Digest;
  readonly isLooked: boolean;
}

/** An index that follows its cluster from `start` to `close`. */
export class FollowedStreams implements StreamIndex {
  readonly cluster: string;
  readonly #options: FollowedStreamsOptions;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #stopping = new AbortController();
  readonly #book: StreamBook;
  readonly #state: IndexState;
  readonly #awaited: AwaitedDigests;
  readonly #kept: KeptStreams | undefined;
  readonly #subscribers: ((stream: { readonly namespace: string; readonly name: string }) => void)[] = [];
  #trusted: ReadonlySet<string>;
  /** Until when what the records said counts, ms since the epoch; undefined without records. */
  #keptUntil: number | undefined;
  #following: Promise<unknown> = Promise.resolve();
  #expiry: Timer | undefined;
  #isFollowing = false;

  constructor(options: FollowedStreamsOptions) {
    const { cluster, namespaces, staleMs, events, kept, clock = systemClock, now = Date.now } = options;
    this.#options = options;
    this.cluster = cluster;
    this.#clock = clock;
    this.#now = now;
    this.#trusted = new Set(options.trusted);
    this.#book = new StreamBook({
      ...options,
      isTrusted: (namespace) => this.isTrusted(namespace),
      changed: (stream) => this.#changed(stream),
      now,
    });
    this.#awaited = new AwaitedDigests({ clock });
    this.#state = new IndexState({
      parts: namespaces ?? [''],
      staleMs,
      clock,
      changed: (state) => events.streamStateChanged({ cluster, state }),
    });
    this.#kept =
      kept &&
      new KeptStreams({
        ...kept,
        cluster,
        book: this.#book,
        events,
        isCurrent: () => this.state === 'synced',
        clock,
        now,
      });
  }

  get state(): StreamIndex['state'] {
    return this.#state.state;
  }

  isTrusted(namespace: string): boolean {
    return this.#trusted.has(namespace);
  }

  /** Trusts these namespaces from now on, and no others. */
  trust(namespaces: readonly string[]): void {
    const before = this.#trusted;
    this.#trusted = new Set(namespaces);
    const differing = before.symmetricDifference(this.#trusted);
    for (const { namespace, name } of [...this.#book.streams()])
      if (differing.has(namespace)) for (const changed of this.#subscribers) changed({ namespace, name });
  }

  naming(place: StreamPlace, digest: Digest): readonly StreamReference[] {
    const isOld = this.#keptUntil !== undefined && this.#now() >= this.#keptUntil;
    if (this.state === 'expired' || (this.state === 'syncing' && isOld)) return [];
    return this.#book.naming(place, digest);
  }

  get untold(): string | undefined {
    const whose = `the image streams of cluster ${this.cluster}`;
    if (this.state !== 'synced') return `${whose} are not known now (${this.state})`;
    return this.#book.isWhole ? undefined : `${whose} are more than this process keeps`;
  }

  async look(place: StreamPlace, digest: Digest): ReturnType<StreamIndex['look']> {
    const { cluster, events } = this.#options;
    const isLooking = this.state === 'syncing' || this.state === 'synced';
    const before = this.#book.markOf(place, digest);
    const isNews = (): boolean => this.#book.markOf(place, digest) !== before;
    const key = `${place.upstream} ${place.repository} ${digest}`;
    const found = isLooking ? await this.#awaited.look(key, isNews) : 'unasked';
    const named = this.naming(place, digest);
    const result = named.length > 0 && found !== 'found' ? 'known' : found;
    events.streamLooked({ cluster, result });
    const untold = this.untold ?? this.#untoldOf({ place, digest, isLooked: found !== 'unasked' });
    return { named, untold };
  }

  #untoldOf({ place, digest, isLooked }: LookedAt): string | undefined {
    const whose = `image streams of cluster ${this.cluster}`;
    if (!isLooked) return `too many digests are looked for now among the ${whose}`;
    return this.#book.isCrowded(place, digest) ? `more ${whose} name this digest than are kept` : undefined;
  }

  subscribe(changed: (stream: { readonly namespace: string; readonly name: string }) => void): void {
    this.#subscribers.push(changed);
  }

  /** Reads what is kept, then lists and watches. */
  start(): void {
    const { cluster, events } = this.#options;
    this.#isFollowing = true;
    events.streamsFollowed({ cluster });
    events.streamStateChanged({ cluster, state: this.state });
    this.#expiry = this.#clock.setTimeout(() => this.#expire(), expireEveryMs);
    this.#expiry.unref();
    this.#following = this.#follow();
  }

  /** Stops following, and keeps what is known. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error('the service is shutting down'));
    this.#expiry?.[Symbol.dispose]();
    this.#awaited.close();
    await this.#following;
    await this.#kept?.close();
    this.#state.close();
    const { cluster, events } = this.#options;
    if (this.#isFollowing) events.streamsLeft({ cluster });
    this.#isFollowing = false;
  }

  async #follow(): Promise<void> {
    await this.#load();
    this.#kept?.start();
    const { namespaces = [''] } = this.#options;
    await Promise.all(namespaces.map((namespace) => this.#followPart(namespace)));
  }

  async #load(): Promise<void> {
    if (this.#kept === undefined) return;
    const { staleMs } = this.#options;
    const patience = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(longestLoadMs)]);
    const currentAt = await this.#kept.load(staleMs, patience);
    if (currentAt !== undefined) this.#keptUntil = currentAt + staleMs;
    this.#sized();
  }

  /** Never rejects. */
  #followPart(part: string): Promise<void> {
    const { cluster, events, imageStreams } = this.#options;
    const where = { cluster, ...(part === '' ? {} : { namespace: part }) };
    const streams = imageStreams({
      listed: (event) => {
        this.#state.listed(part);
        events.streamsListed({ ...where, ...event });
        this.#sized();
        this.#awaited.changed();
        void this.#kept?.save();
      },
      failed: (event) => events.streamsFailed({ ...where, ...event }),
      followed: ({ isCurrent }) => (isCurrent ? this.#state.current(part) : this.#state.failing(part)),
    });
    const namespace = part === '' ? {} : { namespace: part };
    return streams.observe(this.#book.observer(namespace.namespace), {
      ...namespace,
      signal: this.#stopping.signal,
    });
  }

  #changed(stream: StreamItem): void {
    const { namespace, name } = stream;
    this.#kept?.changed(stream);
    this.#awaited.changed();
    this.#sized();
    for (const changed of this.#subscribers) changed({ namespace, name });
  }

  #expire(): void {
    this.#book.expire();
    this.#sized();
    this.#expiry?.refresh();
  }

  #sized(): void {
    const { cluster, events } = this.#options;
    events.streamsSized({ cluster, ...this.#book.size });
  }
}
