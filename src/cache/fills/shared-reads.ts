import {
  type BlobSource,
  type ByteRange,
  type Bytes,
  type Content,
  ContentMismatch,
  type ReadOptions,
} from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isWhole, whole } from '../../oci/range.ts';
import type { OpenBlob } from '../../oci/registry-reader.ts';
import type { SharedReads } from '../../store/disk-tier/disk-tier.ts';
import type { DiskTierEvents } from '../../store/disk-tier/events.ts';
import type { KeptFiles } from '../../store/disk-tier/kept-files.ts';
import { endingWith } from '../../store/open-reads.ts';
import { failoverRead } from './failover-read.ts';
import { Fill, NoRoom } from './fill.ts';
import { type Spool, SpoolError } from './spool.ts';

interface SharedReadsOptions {
  /** The medium behind the disk. */
  readonly from: BlobSource;
  /**
   * Where a blob that was read whole is kept. Default: nowhere, and a read ends with its readers.
   */
  readonly into?: Pick<KeptFiles, 'adopt' | 'health' | 'remove'>;
  /** On the same file system as `into`. */
  readonly spool: Spool;
  readonly events?: Pick<DiskTierEvents, 'diskRead'>;
}

/** A reader this far ahead of the read under way gets one of its own; a nearer one waits. */
const near = { bytes: 8 * 1024 * 1024, ms: 500 };

/**
 * Reads of a medium through the disk: a whole blob is read once, as a fill, however many read it,
 * and stays in `into`, if that is given. A part is read from that fill where it is near, else from
 * the medium alone. Where the disk has no room or fails, each reader reads the medium.
 */
export function createSharedReads({ from, into, spool, events }: SharedReadsOptions): SharedReads {
  /** By digest, while others may join. */
  const running = new Map<Digest, Fill>();
  const readers = new WeakMap<Fill, number>();
  const unsettled = new Set<Fill>();
  let isClosed = false;

  function started(digest: Digest): Fill {
    const fill: Fill = new Fill({
      digest,
      size: undefined,
      origin: (signal) => openedAt(from, digest, signal),
      spool,
      store:
        into === undefined
          ? { put: () => Promise.resolve() }
          : {
              adopt: async (blob, file) => running.get(digest) === fill && (await into.adopt(blob, file)),
              put: () => Promise.reject(new Error('the disk took no file')),
            },
      storeFailed: () => {},
    });
    running.set(digest, fill);
    unsettled.add(fill);
    void fill.settled.then(() => {
      unsettled.delete(fill);
      joinedNoMore(fill, digest);
    });
    return fill;
  }

  function joinedNoMore(fill: Fill, digest: Digest): void {
    if (running.get(digest) === fill) running.delete(digest);
  }

  /** One more reader, until the answer is called: what nothing keeps ends with the last of them. */
  function followedBy(fill: Fill, digest: Digest): () => void {
    readers.set(fill, (readers.get(fill) ?? 0) + 1);
    let isFollowed = true;
    return () => {
      if (!isFollowed) return;
      isFollowed = false;
      const left = (readers.get(fill) ?? 1) - 1;
      readers.set(fill, left);
      if (left > 0 || into !== undefined) return;
      joinedNoMore(fill, digest);
      fill.abort();
    };
  }

  /** The read to follow, or to begin where the whole blob is wanted. */
  async function followed(digest: Digest, range: ByteRange | undefined): Promise<Fill | undefined> {
    const found = running.get(digest);
    if (found !== undefined || isClosed || into?.health.mayWrite === false) return found;
    if (range !== undefined) {
      const descriptor = await from.stat(digest);
      if (descriptor === undefined || !isWhole(range, descriptor)) return undefined;
    }
    // Another reader may have begun meanwhile.
    return running.get(digest) ?? started(digest);
  }

  function alone(digest: Digest, reading: ReadOptions): Promise<Content | undefined> {
    events?.diskRead({ result: 'miss' });
    return from.open(digest, reading);
  }

  async function behind(fill: Fill, digest: Digest, reading: ReadOptions): Promise<Content> {
    const { signal } = reading;
    const descriptor = await fill.opened;
    const range = reading.range ?? whole(descriptor);
    return {
      descriptor,
      ...(reading.range === undefined ? {} : { range }),
      body: failoverRead(descriptor, range, [
        (rest) => fill.read(rest, signal),
        (rest) => bytesFrom(from, digest, { ...reading, range: rest }),
      ]),
      distrust: () => distrusted(fill, digest),
      close: async () => {},
    };
  }

  /** The fill itself says whether the medium is wrong; else it is the file that readers follow. */
  async function distrusted(fill: Fill, digest: Digest): Promise<boolean> {
    if (fill.failure instanceof ContentMismatch) return false;
    joinedNoMore(fill, digest);
    await fill.settled;
    await into?.remove(digest);
    return true;
  }

  return {
    async open(digest, reading = {}) {
      const before = running.get(digest);
      const fill = await followed(digest, reading.range);
      if (fill === undefined || isFar(fill, reading.range)) return alone(digest, reading);
      const left = followedBy(fill, digest);
      try {
        const content = await behind(fill, digest, reading);
        events?.diskRead({ result: before === fill ? 'joined' : 'miss' });
        return endingWith(content, left);
      } catch (error) {
        left();
        if (isUnknown(error)) return undefined;
        if (error instanceof NoRoom || error instanceof SpoolError) return alone(digest, reading);
        throw error;
      }
    },
    isReading: (digest) => running.has(digest),
    forget: (digest) => void running.delete(digest),
    async close() {
      isClosed = true;
      for (const fill of unsettled) fill.abort();
      await Promise.all([...unsettled].map(({ settled }) => settled));
    },
  };
}

function isFar(fill: Fill, range: ByteRange | undefined): boolean {
  const { bytes, ms } = fill.distanceTo(range?.start ?? 0);
  return bytes > near.bytes && ms > near.ms;
}

function isUnknown(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'BLOB_UNKNOWN';
}

async function openedAt(
  from: BlobSource,
  digest: Digest,
  signal: AbortSignal,
): Promise<OpenBlob | undefined> {
  const content = await from.open(digest, { signal });
  return (
    content && {
      size: content.descriptor.size,
      body: content.body,
      close: () => void content.close(),
    }
  );
}

async function* bytesFrom(from: BlobSource, digest: Digest, reading: ReadOptions): Bytes {
  const content = await from.open(digest, reading);
  if (content === undefined)
    throw new RegistryError('UNAVAILABLE', 'the medium no longer has the blob', { detail: { digest } });
  yield* content.body;
}
