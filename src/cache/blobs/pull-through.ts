import type { LRUCache } from 'lru-cache';
import { shared } from '../../base/single-flight.ts';
import { type ByteRange, type Bytes, bytesOf, type Descriptor, verified } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { Hit } from '../events.ts';
import type { Membership } from '../records/membership.ts';
import { continued } from './continued.ts';
import { type Fill, NoRoom } from './fill.ts';
import type { FillStart, Fills } from './fills.ts';
import { type PatienceOptions, patiently } from './patient.ts';
import { SpoolError } from './spool.ts';
import type { StoredCopies } from './stored.ts';

export interface BlobReadOptions {
  readonly signal?: AbortSignal;
  /** Wait for the running download even where the range starts far ahead of it: for the parts of a range list. */
  readonly follows?: boolean;
}

/** A blob that can be delivered. Holds nothing until it is read. */
export interface OpenedBlob {
  readonly descriptor: Descriptor;
  readonly hit: Hit;
  /** All of it, or a range within it. A source that breaks is replaced by the next at the byte reached. */
  read(range?: ByteRange, options?: BlobReadOptions): Bytes;
}

/** A blob of which no byte is asked for. */
export interface KnownBlob {
  readonly descriptor: Descriptor;
  /** `memory` when it was known, `upstream` when that had to be asked. */
  readonly hit: Hit;
}

/** The blobs of one upstream, through the cache. */
export interface PulledBlobs {
  /** What is known of the blob; throws `BLOB_UNKNOWN` when that repository has no such blob. */
  stat(repository: Repository, digest: Digest): Promise<KnownBlob>;
  /** Throws `BLOB_UNKNOWN` likewise, and the upstream's refusal when the blob can be had nowhere. */
  open(repository: Repository, digest: Digest): Promise<OpenedBlob>;
}

export interface PullThroughOptions extends PatienceOptions {
  readonly upstream: Upstream;
  readonly membership: Membership;
  readonly copies: StoredCopies;
  readonly fills: Fills;
  /** Small content by digest; its `maxEntrySize` says what is small. */
  readonly memory: LRUCache<Digest, Uint8Array>;
  /** "Not there" by repository and digest, shared with what else may be absent; its `ttl` says how long that is believed. */
  readonly absent: LRUCache<string, true>;
  /** A reader farther ahead of a download than both of these is served by an upstream request of its own. */
  readonly near: { readonly bytes: number; readonly ms: number };
  /** The digest was used: the clock of the eviction. */
  readonly touched: (digest: Digest) => void;
}

/**
 * Blobs of an upstream, each crossing the link to it once. A blob is delivered under a repository only after it was seen
 * there: in a manifest answered there, or confirmed by the upstream. Knowing a digest is not a right.
 */
export function pullThrough(options: PullThroughOptions): PulledBlobs {
  const { upstream, membership, copies, fills, memory, absent, near, undeliverable, touched } = options;

  const scopeOf = (repository: Repository) => ({ upstream: upstream.name, repository });

  const blobIn = (repository: Repository, digest: Digest): string =>
    `${upstream.name}/${repository} blob ${digest}`;

  /** Whether it could be delivered without asking the upstream, so that asking must come first. */
  async function isHere(repository: Repository, digest: Digest): Promise<boolean> {
    const fill = fills.find(upstream.name, digest);
    if (fill !== undefined) return fill.repository !== repository;
    return memory.has(digest) || (await copies.stat(digest)) !== undefined;
  }

  function isFilledElsewhere(repository: Repository, digest: Digest): boolean {
    const fill = fills.find(upstream.name, digest);
    return fill !== undefined && fill.repository !== repository;
  }

  const confirming = shared<Descriptor>();
  const confirmed = (repository: Repository, digest: Digest): Promise<Descriptor> =>
    confirming(blobIn(repository, digest), () => confirm(repository, digest));

  async function confirm(repository: Repository, digest: Digest): Promise<Descriptor> {
    refuseAbsent(repository, digest);
    const found = await upstream.statBlob(repository, digest);
    if (found === undefined) throw rememberedAbsent(repository, digest);
    const descriptor = { digest, size: found.size };
    await membership.add(scopeOf(repository), [descriptor]);
    return descriptor;
  }

  async function stat(repository: Repository, digest: Digest): Promise<KnownBlob> {
    const member = await membership.find(scopeOf(repository), digest);
    if (member !== undefined && member.size >= 0) return { descriptor: member, hit: 'memory' };
    return { descriptor: await confirmed(repository, digest), hit: 'upstream' };
  }

  async function open(repository: Repository, digest: Digest): Promise<OpenedBlob> {
    let member = await membership.find(scopeOf(repository), digest);
    if (member === undefined && (await isHere(repository, digest)))
      member = await confirmed(repository, digest);
    if (member === undefined) return openCold(repository, digest);
    touched(digest);
    const small = memory.get(digest);
    if (small !== undefined) {
      const blob = inMemory(digest, small, 'memory');
      await correct(repository, member, blob.descriptor);
      return blob;
    }
    const stored = await copies.stat(digest, member.size < 0 ? undefined : member.size);
    if (stored === undefined) return openCold(repository, digest, member);
    await correct(repository, member, stored);
    return openStored(repository, stored);
  }

  /** What was told of a blob's size gives way to the size of what proved right. */
  async function correct(
    repository: Repository,
    member: Descriptor | undefined,
    right: Descriptor,
  ): Promise<void> {
    if (member !== undefined && member.size >= 0 && member.size !== right.size)
      await membership.correct(scopeOf(repository), right);
  }

  async function openStored(repository: Repository, descriptor: Descriptor): Promise<OpenedBlob> {
    if (descriptor.size > memory.maxEntrySize) return storedBlob(repository, descriptor);
    const bytes = await copies.readSmall(descriptor);
    if (bytes === undefined) return openCold(repository, descriptor.digest, descriptor);
    memory.set(descriptor.digest, bytes);
    return inMemory(descriptor.digest, bytes, 'store');
  }

  function storedBlob(repository: Repository, descriptor: Descriptor): OpenedBlob {
    async function* refilled(rest: ByteRange, read: BlobReadOptions): Bytes {
      const blob = await openCold(repository, descriptor.digest, descriptor);
      yield* blob.read(rest, read);
    }
    return {
      descriptor,
      hit: 'store',
      read: (range = whole(descriptor), read = {}) =>
        continued(descriptor, range, [
          (rest) => copies.read(descriptor, rest, read.signal),
          (rest) => refilled(rest, read),
        ]),
    };
  }

  const openCold = (repository: Repository, digest: Digest, member?: Descriptor): Promise<OpenedBlob> =>
    patiently(options, { repository, digest, isListed: member !== undefined }, () =>
      openFilled(repository, digest, member),
    );

  /** No wait may stand between the look at the running download and the joining of it: it may be another repository's. */
  async function openFilled(
    repository: Repository,
    digest: Digest,
    member?: Descriptor,
  ): Promise<OpenedBlob> {
    refuseAbsent(repository, digest);
    if (member === undefined && isFilledElsewhere(repository, digest))
      return openFilled(repository, digest, await confirmed(repository, digest));
    const { fill, isNew, repository: asked } = fills.joinOrStart(fillStart(repository, digest, member));
    try {
      const descriptor = await fill.opened;
      touched(digest);
      undeliverable.came(repository, digest);
      await membership.add(scopeOf(repository), [descriptor]);
      void fill.settled.then((outcome) => {
        if (outcome === 'failed') undeliverable.failed(repository, digest, brokenOff());
        return outcome === 'stored' ? correct(repository, member, descriptor) : undefined;
      });
      return filledBlob(repository, descriptor, fill, isNew ? 'fill' : 'joined');
    } catch (error) {
      if (error instanceof NoRoom) return passedThrough(repository, digest, member, error.size);
      if (error instanceof SpoolError) return passedThrough(repository, digest, member);
      if (asked === repository) throw isBlobUnknown(error) ? rememberedAbsent(repository, digest) : error;
      await fill.settled;
      return openFilled(repository, digest, member);
    }
  }

  function fillStart(repository: Repository, digest: Digest, member?: Descriptor): FillStart {
    return {
      digest,
      size: member !== undefined && member.size >= 0 ? member.size : undefined,
      upstream: upstream.name,
      repository,
      origin: (signal) => upstream.openBlob(repository, digest, { signal }),
    };
  }

  function filledBlob(repository: Repository, descriptor: Descriptor, fill: Fill, hit: Hit): OpenedBlob {
    const isFar = (offset: number): boolean => {
      const distance = fill.distanceTo(offset);
      return upstream.hasRanges && distance.bytes > near.bytes && distance.ms > near.ms;
    };
    return {
      descriptor,
      hit,
      read(range = whole(descriptor), { signal, follows = false } = {}) {
        const passed = (rest: ByteRange): Bytes => passedBytes(repository, descriptor, rest, signal);
        const live = !follows && isFar(range.start) ? passed : (rest: ByteRange) => fill.read(rest, signal);
        const stored = (rest: ByteRange): Bytes => copies.read(descriptor, rest, signal);
        return continued(descriptor, range, [live, stored, passed]);
      },
    };
  }

  async function passedThrough(
    repository: Repository,
    digest: Digest,
    member?: Descriptor,
    stated?: number,
  ): Promise<OpenedBlob> {
    const known = member !== undefined && member.size >= 0 ? member : await confirmed(repository, digest);
    const descriptor = { digest, size: stated ?? known.size };
    async function* read(range: ByteRange, signal?: AbortSignal): Bytes {
      yield* passedBytes(repository, descriptor, range, signal);
      if (isWhole(range, descriptor)) await correct(repository, known, descriptor);
    }
    return {
      descriptor,
      hit: 'upstream',
      read: (range = whole(descriptor), { signal } = {}) => read(range, signal),
    };
  }

  async function* passedBytes(
    repository: Repository,
    descriptor: Descriptor,
    range: ByteRange,
    signal?: AbortSignal,
  ): Bytes {
    const blob = await upstream.openBlob(repository, descriptor.digest, {
      ...(isWhole(range, descriptor) ? {} : range),
      ...(signal === undefined ? {} : { signal }),
    });
    if (blob === undefined) throw rememberedAbsent(repository, descriptor.digest);
    try {
      yield* isWhole(range, descriptor) ? verified(blob.body, descriptor) : blob.body;
    } finally {
      blob.close();
    }
  }

  function refuseAbsent(repository: Repository, digest: Digest): void {
    if (absent.has(blobIn(repository, digest))) throw blobUnknown(digest);
  }

  function rememberedAbsent(repository: Repository, digest: Digest): RegistryError {
    absent.set(blobIn(repository, digest), true);
    return blobUnknown(digest);
  }

  return { stat, open };
}

/** A blob that is in memory already. */
function inMemory(digest: Digest, bytes: Uint8Array, hit: Hit): OpenedBlob {
  const descriptor = { digest, size: bytes.byteLength };
  return {
    descriptor,
    hit,
    read: (range = whole(descriptor)) => bytesOf(bytes.subarray(range.start, range.end + 1)),
  };
}

function whole({ size }: Descriptor): ByteRange {
  return { start: 0, end: size - 1 };
}

function isWhole(range: ByteRange, { size }: Descriptor): boolean {
  return range.start === 0 && range.end === size - 1;
}

function isBlobUnknown(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'BLOB_UNKNOWN';
}

function brokenOff(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the download of the blob was interrupted');
}

/** The refusal of a blob that a repository does not have. */
export function blobUnknown(digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', 'the repository has no such blob', { detail: { digest } });
}
