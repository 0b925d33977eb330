import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { LRUCache } from 'lru-cache';
import { closeInTurn } from '../../base/flow/close-all.ts';
import { defined } from '../../base/text/defined.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ReferrersPage } from '../../oci/registry-reader.ts';
import type { BufferPool } from '../../store/buffers.ts';
import { createTempFiles } from '../../store/filesystem/temp-files.ts';
import { countedReads } from '../../store/open-reads.ts';
import type { KernelSend } from '../../store/sending/kernel-send.ts';
import type { Store } from '../../store/store.ts';
import { createContentMemory, type MemoryRoom } from '../blobs/content-memory.ts';
import { createVerifiedStore, type Verifies } from '../blobs/verified-store.ts';
import type { CacheEvents } from '../events.ts';
import { RunningTotal, summed } from '../eviction/running-total.ts';
import { createUsage, type Usage } from '../eviction/usage.ts';
import { createFills } from '../fills/fills.ts';
import { createOverlappingReads } from '../fills/overlapping-reads.ts';
import { createSpool } from '../fills/spool.ts';
import type { RememberedPage } from '../listings/asked-pages.ts';
import type { HeldTags } from '../listings/tag-pages.ts';
import { createParsedManifests } from '../records/parsed.ts';
import { createRepositoryIndex, type RepositoryIndexOptions } from '../records/repository-index.ts';
import { createTagPointers } from '../records/tag-pointers.ts';
import type { SharedContext } from './registry.ts';
import { createWritable } from './writable.ts';

interface CacheContextOptions extends Pick<SharedContext, 'clock' | 'isRoot' | 'isStoredOnce'> {
  readonly store: Store;
  readonly spool: { readonly path: string; readonly maxBytes: number };
  readonly memory: MemoryRoom;
  readonly buffers: BufferPool;
  /** How the kernel sends files to clients. Default: it does not. */
  readonly kernel?: Promise<KernelSend | undefined> | undefined;
  /** Tags of one scope have equal rights: see RepositoryIndexOptions. Default: one scope. */
  readonly scopeOf?: RepositoryIndexOptions['scopeOf'];
  /** Whether what that member downloads is stored by it for all. Default: as `isStoredOnce`. */
  readonly isStoredBy?: ((member: string) => boolean) | undefined;
  /** Which whole reads of blobs are hashed. Default `first`; reads of S3 always are. */
  readonly verifies?: Verifies;
  readonly events: CacheEvents;
}

/** What all upstreams of a process share, and their common end. */
export interface CacheContext extends SharedContext {
  readonly medium: Store;
  readonly usage: Usage;
  /** This process's name among the replicas on one store. */
  readonly instance: string;
  /** True while the digest is downloaded, or read from the store. */
  isInUse(digest: Digest): boolean;
  /** All that it is true for. */
  inUse(): readonly Digest[];
  /** How much the store holds. */
  readonly total: RunningTotal;
  openReads(): number;
  /** Removes what an earlier process left behind; resolves to how many files and uploads. */
  sweep(): Promise<number>;
  /** Writes what is only remembered, and lets go of the store. */
  close(): Promise<void>;
}

/** Tags whose pointers are in memory. */
export const tagPointers = 100_000;
/** How old the record of a tag may be that was confirmed since, milliseconds. */
export const confirmEveryMs = 300_000;
/** Of all lists of one kind together: one alone may hold 32 MiB, and each query is another page. */
const listingPages = 2_000;
const tagListBytes = 64 * 1024 * 1024;
const referrersBytes = 16 * 1024 * 1024;

/** Makes the shared parts over a store. */
export function createCacheContext({ store, events, ...options }: CacheContextOptions): CacheContext {
  const instance = `${hostname()}-${randomBytes(4).toString('hex')}`;
  const spooling = createSpool({
    directory: options.spool.path,
    maxBytes: options.spool.maxBytes,
    files: createTempFiles(options.spool.path),
    buffers: options.buffers,
    kernel: options.verifies === 'always' ? undefined : options.kernel,
    changed: (bytes) => events.spoolChanged({ bytes }),
    usabilityChanged: (isUsable, error) => events.spoolUsabilityChanged?.({ isUsable, error }),
  });
  const { records } = store;
  const members = createRepositoryIndex({
    records,
    events,
    by: instance,
    isWritable: createWritable(store),
    ...(options.scopeOf === undefined ? {} : { scopeOf: options.scopeOf }),
  });
  members.prepare().then(
    () => undefined,
    (error: unknown) => events.storeFailed({ operation: 'write', error }),
  );
  const pointers = createTagPointers({ records, maxEntries: tagPointers, confirmEveryMs, events });
  const used = createUsage({ records, instance, events });
  const total = new RunningTotal({ records });
  // A disk before the bucket shares them as well, and keeps what was read.
  const isFar = store.kind === 's3' && store.blobs.keep === undefined;
  const overlapping = isFar ? createOverlappingReads(store.blobs, spooling) : undefined;
  const counted = countedReads(summed(overlapping?.blobs ?? store.blobs, total));
  const copies = createVerifiedStore({
    store: counted.blobs,
    events,
    verifies: store.kind === 's3' ? 'far' : (options.verifies ?? 'first'),
  });
  const stored = (descriptor: Descriptor): void => {
    copies.markVerified(descriptor);
    events.blobStored?.(descriptor);
  };
  const downloads = createFills({
    spool: spooling,
    store: counted.blobs,
    events,
    stored,
    isStoredBy: options.isStoredBy ?? (() => options.isStoredOnce === true),
  });
  return {
    medium: store,
    usage: used,
    instance,
    membership: members,
    tags: pointers,
    store: counted.blobs,
    copies,
    fills: downloads,
    inUse: () => [...downloads.digests(), ...counted.digests()],
    total,
    isInUse: (digest) => downloads.isRunning(digest) || counted.isReading(digest),
    openReads: () => counted.openReads,
    memory: createContentMemory<Uint8Array>(options.memory, ({ byteLength }) => byteLength),
    parsed: createParsedManifests(),
    pages: new LRUCache<string, RememberedPage<ReferrersPage>>({
      max: listingPages,
      maxSize: referrersBytes,
      sizeCalculation: ({ page }) => page.bytes.byteLength || 1,
    }),
    tagLists: new LRUCache<string, RememberedPage<HeldTags>>({
      max: listingPages,
      maxSize: tagListBytes,
      sizeCalculation: ({ page }) => page.list.bytes || 1,
    }),
    events,
    touched: used.touched,
    now: Date.now,
    ...defined({ clock: options.clock, isRoot: options.isRoot, isStoredOnce: options.isStoredOnce }),
    sweep: async () => (await spooling.sweep()) + (await store.sweep()),
    async close() {
      await closeInTurn([used, members, pointers, overlapping, store].map((part) => () => part?.close()));
    },
  };
}
