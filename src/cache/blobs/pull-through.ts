// Room `cache/blobs`: a blob from memory, store, a running download or the upstream. In: repository
// and digest. Out: its bytes, verified, from the first source that has them. Imports: base,
// cache/fills, fleet, oci; types of cache, cache/records, store, upstream.

import type { LRUCache } from 'lru-cache';
import { type Askers, FollowsReplica, NotCached, refuseElsewhere } from '../../fleet/elsewhere.ts';
import { type ByteRange, type Bytes, type Content, type Descriptor, verified } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { isWhole, whole } from '../../oci/range.ts';
import type { Repository } from '../../oci/reference.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { CacheEvents, Hit } from '../events.ts';
import { failoverRead, replaceable } from '../fills/failover-read.ts';
import { type Fill, NoRoom } from '../fills/fill.ts';
import type { FillStart, Fills } from '../fills/fills.ts';
import { SpoolError } from '../fills/spool.ts';
import { type BlobMembership, isBlobUnknown } from './blob-membership.ts';
import { begunBlob, inMemory, storedReads } from './local-blobs.ts';
import type { BlobAsk, BlobReadOptions, KnownBlob, OpenedBlob, PulledBlobs } from './pulled-blobs.ts';
import { brokenOff, type PatienceOptions, withPatience } from './undeliverable.ts';
import type { VerifiedStore } from './verified-store.ts';

interface PullThroughOptions extends PatienceOptions {
  readonly upstream: Upstream;
  readonly members: BlobMembership;
  readonly copies: VerifiedStore;
  readonly fills: Fills;
  /**
   * Which members ask. They get what is stored or downloaded from the upstream by this process
   * itself; else FollowsReplica, SeeksReplica, NotCached or NoRoom. Default: clients ask.
   */
  readonly askers?: Askers | undefined;
  /** Small content by digest; its `maxEntrySize` says what is small. */
  readonly memory: LRUCache<Digest, Uint8Array>;
  /** A reader farther ahead of a download than both gets an upstream request of its own. */
  readonly near: { readonly bytes: number; readonly ms: number };
  /** The digest was used: the clock of the eviction. */
  readonly touched: (digest: Digest) => void;
  readonly events: Pick<CacheEvents, 'copyLookedUp' | 'storeFailed'>;
}

/** A blob under a repository, and what a manifest or the upstream stated of it there. */
interface WantedBlob {
  readonly repository: Repository;
  readonly digest: Digest;
  /** Undefined where the upstream is yet to say whether the repository has the blob. */
  readonly member: Descriptor | undefined;
  readonly requestId?: string | undefined;
  readonly onlyIfCached?: boolean | undefined;
  readonly isRead?: boolean;
}

/** A blob whose source may change while it is read. */
interface SourcedBlob extends OpenedBlob {
  hit: Hit;
}

/**
 * Blobs of an upstream, each crossing the link to it once. `BlobMembership` answers whether a blob
 * may be served. A download is also the upstream's answer that the blob belongs there.
 */
export class PullThrough implements PulledBlobs {
  readonly #options: PullThroughOptions;

  constructor(options: PullThroughOptions) {
    this.#options = options;
  }

  async stat(repository: Repository, digest: Digest): Promise<KnownBlob> {
    const { members } = this.#options;
    const member = await members.find(repository, digest);
    if (member !== undefined && member.size >= 0) return { descriptor: member, hit: 'memory' };
    return { descriptor: await members.confirmed(repository, digest), hit: 'upstream' };
  }

  async open(
    repository: Repository,
    digest: Digest,
    { requestId, onlyIfCached, isRead = false }: BlobAsk = {},
  ): Promise<OpenedBlob> {
    const { members, touched } = this.#options;
    let member = await members.find(repository, digest);
    // The upstream is asked where the blob could be delivered without it.
    if (member === undefined && onlyIfCached !== true && (await this.#isHere(repository, digest)))
      member = await members.confirmed(repository, digest);
    const wanted = { repository, digest, member, requestId, onlyIfCached, isRead };
    if (member === undefined) return this.#openCold(wanted);
    touched(digest);
    return (await this.#openHere(wanted, member)) ?? this.#openCold(wanted);
  }

  async #isHere(repository: Repository, digest: Digest): Promise<boolean> {
    const { fills, upstream, memory, copies } = this.#options;
    const fill = fills.find(upstream.name, digest);
    if (fill !== undefined) return fill.repository !== repository;
    return memory.has(digest) || (await copies.stat(digest)) !== undefined;
  }

  /** From memory or the store. */
  async #openHere(wanted: WantedBlob, member: Descriptor): Promise<OpenedBlob | undefined> {
    const { repository, digest } = wanted;
    const { memory, copies, members, events } = this.#options;
    const small = memory.get(digest);
    if (small !== undefined) {
      events.copyLookedUp?.({ digest, source: 'memory' });
      const blob = inMemory(digest, small, 'memory');
      await members.correct(repository, member, blob.descriptor);
      return blob;
    }
    const isSmall = member.size <= memory.maxEntrySize;
    if (member.size >= 0 && (isSmall || wanted.isRead === true) && !copies.knows(digest)) {
      const begun = await begunBlob(this.#options, member, this.#storedBlob.bind(this, wanted, member));
      // A store that fails is not asked twice; one that has no such blob is known not to.
      if (begun !== undefined || !copies.knows(digest)) return begun;
    }
    const stored = copies.isTrusted(member) ? member : await copies.stat(digest, member.size);
    events.copyLookedUp?.({ digest, source: stored === undefined ? 'none' : 'store' });
    if (stored === undefined) return undefined;
    await members.correct(repository, member, stored);
    return this.#openStored({ ...wanted, member: stored }, stored);
  }

  async #openStored(wanted: WantedBlob, descriptor: Descriptor): Promise<OpenedBlob> {
    const { memory, copies } = this.#options;
    if (descriptor.size > memory.maxEntrySize) return this.#storedBlob(wanted, descriptor);
    const bytes = await copies.readSmall(descriptor);
    if (bytes === undefined) return this.#openCold(wanted);
    memory.set(descriptor.digest, bytes);
    return inMemory(descriptor.digest, bytes, 'store');
  }

  /** The first read takes what was opened already. */
  #storedBlob(wanted: WantedBlob, descriptor: Descriptor, opened?: Content): OpenedBlob {
    const { copies } = this.#options;
    const stored = storedReads(copies, descriptor, opened);
    const blob: SourcedBlob = {
      descriptor,
      hit: 'store',
      read: (range = whole(descriptor), read = {}) =>
        failoverRead(
          descriptor,
          range,
          [(rest) => stored(rest, read.signal), (rest) => this.#refilled(wanted, rest, read, blob)],
          read.after,
        ),
      ...(opened === undefined && { openFile: () => copies.openFile(descriptor) }),
    };
    return blob;
  }

  /** What the store could not deliver comes from the upstream, and the answer must say so. */
  async *#refilled(
    wanted: WantedBlob,
    range: ByteRange,
    { after: _done, ...options }: BlobReadOptions,
    answered: SourcedBlob,
  ): Bytes {
    const blob = await this.#openCold(wanted);
    answered.hit = blob.hit;
    yield* blob.read(range, options);
  }

  #openCold(wanted: WantedBlob): Promise<OpenedBlob> {
    const { repository, digest, member } = wanted;
    return withPatience(this.#options, { repository, digest, isListed: member !== undefined }, () =>
      this.#openFilled(wanted),
    );
  }

  /** No wait between the check of the running download and joining it: others may begin. */
  async #openFilled(wanted: WantedBlob): Promise<OpenedBlob> {
    const { fills, members, upstream, askers } = this.#options;
    const { repository, digest, member } = wanted;
    members.refuseAbsent(repository, digest);
    const isElsewhere = member === undefined && this.#isFilledElsewhere(repository, digest);
    if (wanted.onlyIfCached === true && (isElsewhere || fills.find(upstream.name, digest) === undefined))
      throw new NotCached('the blob is neither stored nor being downloaded');
    if (isElsewhere)
      return this.#openFilled({ ...wanted, member: await members.confirmed(repository, digest) });
    const { fill, isNew, repository: asked } = fills.joinOrStart(this.#fillStart(wanted));
    refuseElsewhere(fill, askers, wanted);
    try {
      const descriptor = await fill.opened;
      refuseElsewhere(fill, askers, wanted);
      await this.#noteOpened(wanted, fill, descriptor);
      return this.#filledBlob(repository, descriptor, fill, hitOf(fill, isNew));
    } catch (error) {
      if (error instanceof FollowsReplica) throw error;
      if (askers !== undefined && (error instanceof NoRoom || error instanceof SpoolError)) throw error;
      if (error instanceof NoRoom) return this.#passedThrough(wanted, error.size);
      if (error instanceof SpoolError) return this.#passedThrough(wanted);
      if (asked === repository) throw isBlobUnknown(error) ? members.absence(repository, digest) : error;
      await fill.settled;
      return this.#openFilled(wanted);
    }
  }

  #isFilledElsewhere(repository: Repository, digest: Digest): boolean {
    const fill = this.#options.fills.find(this.#options.upstream.name, digest);
    return fill !== undefined && fill.repository !== repository;
  }

  #fillStart({ repository, digest, member, requestId }: WantedBlob): FillStart {
    const { upstream } = this.#options;
    return {
      digest,
      size: member !== undefined && member.size >= 0 ? member.size : undefined,
      upstream: upstream.name,
      repository,
      requestId,
      origin: (signal, sourced) => upstream.openBlob(repository, digest, { signal, sourced }),
    };
  }

  async #noteOpened(
    { repository, digest, member }: WantedBlob,
    fill: Fill,
    descriptor: Descriptor,
  ): Promise<void> {
    const { touched, undeliverable, members, events } = this.#options;
    touched(digest);
    undeliverable.came(repository, digest);
    await members.add(repository, descriptor);
    const settled = async (): Promise<void> => {
      if (await fill.proven) await members.correct(repository, member, descriptor);
      if ((await fill.settled) === 'failed') undeliverable.failed(repository, digest, brokenOff());
    };
    settled().catch((error: unknown) => events.storeFailed({ operation: 'write', error }));
  }

  #filledBlob(repository: Repository, descriptor: Descriptor, fill: Fill, hit: Hit): OpenedBlob {
    const { upstream, near, copies } = this.#options;
    const isFar = (offset: number): boolean => {
      const distance = fill.distanceTo(offset);
      return upstream.hasRanges && distance.bytes > near.bytes && distance.ms > near.ms;
    };
    const blob: SourcedBlob = {
      descriptor,
      hit,
      openFile: async (range) => (isFar(range.start) ? undefined : fill.openFile(range).catch(none)),
      read: (range = whole(descriptor), { signal, follows = false, after } = {}) => {
        const passed = (rest: ByteRange): Bytes => {
          blob.hit = 'upstream';
          return this.#passedBytes(repository, descriptor, rest, signal);
        };
        const followed = ({ start }: ByteRange): Bytes => {
          const bytes = fill.read(range, signal, start);
          return fill.followed === undefined ? bytes : replaceable(bytes);
        };
        const live = !follows && isFar(range.start) ? passed : followed;
        const stored = (rest: ByteRange): Bytes => copies.read(descriptor, rest, signal);
        return failoverRead(descriptor, range, [live, stored, passed], after);
      },
    };
    return blob;
  }

  /** From the upstream, kept nowhere. */
  async #passedThrough({ repository, digest, member }: WantedBlob, stated?: number): Promise<OpenedBlob> {
    const { members } = this.#options;
    const isSized = member !== undefined && member.size >= 0;
    const known = isSized ? member : await members.confirmed(repository, digest);
    const descriptor = { digest, size: stated ?? known.size };
    const passedOn = this.#passedBytes.bind(this);
    return {
      descriptor,
      hit: 'upstream',
      async *read(range = whole(descriptor), { signal } = {}) {
        yield* passedOn(repository, descriptor, range, signal);
        if (isWhole(range, descriptor)) await members.correct(repository, known, descriptor);
      },
    };
  }

  async *#passedBytes(
    repository: Repository,
    descriptor: Descriptor,
    range: ByteRange,
    signal?: AbortSignal,
  ): Bytes {
    const { upstream, members } = this.#options;
    const blob = await upstream.openBlob(repository, descriptor.digest, {
      ...(isWhole(range, descriptor) ? {} : range),
      ...(signal === undefined ? {} : { signal }),
    });
    if (blob === undefined) throw members.absence(repository, descriptor.digest);
    try {
      yield* isWhole(range, descriptor) ? verified(blob.body, descriptor) : blob.body;
    } finally {
      blob.close();
    }
  }
}

const none = (): undefined => undefined;

function hitOf(fill: Fill, isNew: boolean): Hit {
  if (fill.followed !== undefined) return 'member';
  return isNew ? 'fill' : 'joined';
}
