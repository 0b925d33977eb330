import { LRUCache } from 'lru-cache';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import { WriteBehind } from '../../base/state/write-behind.ts';
import { type Digest, hexOf } from '../../oci/digest.ts';
import type { Manifest } from '../../oci/manifest.ts';
import type { Tag } from '../../oci/reference.ts';
import { partialKey, type RepositoryScope } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import type { CacheEvents } from '../events.ts';
import {
  emptyPartialRecord,
  isFull,
  mergedPartial,
  type PartialGroup,
  type PartialRecord,
  parsePartial,
  partialBytes,
} from './partial-record.ts';

/** What a manifest lists, in its order. */
export type ListedContent = Pick<Manifest, 'children' | 'blobs'>;

/** A manifest that lists more than has records. */
export interface PartialManifest extends ListedContent {
  readonly digest: Digest;
}

/** Tags that may lead to a digest although no record of the digest says so. */
export interface UnrecordedTags {
  readonly tags: readonly Tag[];
  /** False when there may be others. */
  readonly isAll: boolean;
}

/** What a manifest of the repository lists; undefined for one that cannot be had. */
export type ListedBy = (manifest: Digest) => Promise<ListedContent | undefined>;

interface PartialTagsOptions {
  readonly records: Records;
  readonly events?: Pick<CacheEvents, 'storeFailed'> | undefined;
  readonly retryMs?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

const mostRepositories = 10_000;
/** Of all manifests that list too much, together; one of 4 MB takes 160 KB. */
const maxPrefixBytes = 16 * 1024 * 1024;
/** Conditional writes lost in a row before the write is left for later. */
const attempts = 5;

/**
 * Tags below which there is content without a record that says so: because a manifest lists too
 * much, or because records could not be written. One small record for each repository, which all
 * replicas read before a refusal. What has no record may be below one of them, which the manifests
 * then tell.
 */
export class PartialTags {
  readonly #options: PartialTagsOptions;
  /** What this process noted or read. */
  readonly #known = createLru<string, PartialRecord>(mostRepositories);
  /** The first four bytes of each digest that a manifest lists, in their order. */
  readonly #prefixes = new LRUCache<Digest, Uint32Array>({
    maxSize: maxPrefixBytes,
    sizeCalculation: ({ byteLength }) => byteLength + 100,
  });
  readonly #behind: WriteBehind<PartialRecord>;
  readonly #reading = createSingleFlight<boolean>();

  constructor(options: PartialTagsOptions) {
    const { events, retryMs } = options;
    this.#options = options;
    this.#behind = new WriteBehind<PartialRecord>({
      write: (key, record) => this.#write(key, record),
      concurrency: 1,
      failed: (error) => events?.storeFailed({ operation: 'write', error }),
      ...(retryMs === undefined ? {} : { retryMs }),
    });
  }

  /** The manifest lists this, and not all of it has records with these tags. */
  addManifest(scope: RepositoryScope, manifest: PartialManifest, tags: readonly Tag[]): void {
    this.#prefixesOf(manifest.digest, manifest);
    this.#note(scope, { manifest: manifest.digest, tags, at: this.#options.clock() });
  }

  /** Content below these tags has a record that was never written and is forgotten. */
  addUnwritten(scope: RepositoryScope, tags: readonly Tag[]): void {
    if (tags.length > 0) this.#note(scope, { tags, at: this.#options.clock() });
  }

  /** Tags in memory that may reference the digest. */
  known(scope: RepositoryScope, digest: Digest): readonly Tag[] {
    const prefix = prefixOf(digest);
    const { groups } = this.#inMemory(partialKey(scope));
    const listing = groups.filter(({ manifest }) => {
      const prefixes = manifest && this.#prefixes.get(manifest);
      return prefixes !== undefined && has(prefixes, prefix);
    });
    return [...new Set(listing.flatMap(({ tags }) => tags))];
  }

  /** Tags that may lead to the digest, as all replicas have noted them. Never rejects. */
  async towards(scope: RepositoryScope, digest: Digest, listedBy: ListedBy): Promise<UnrecordedTags> {
    const key = partialKey(scope);
    const isRead = await this.#reading(key, () => this.#read(key));
    const record = this.#inMemory(key);
    const prefix = prefixOf(digest);
    const tags = new Set<Tag>();
    for (const group of record.groups)
      if (await this.#mayHold(group, prefix, listedBy)) for (const tag of group.tags) tags.add(tag);
    return { tags: [...tags], isAll: isRead && !isFull(record, this.#options.clock()) };
  }

  settled(): Promise<void> {
    return this.#behind.settled();
  }

  close(): Promise<void> {
    return this.#behind.close();
  }

  /** What cannot be read may hold anything. */
  async #mayHold({ manifest }: PartialGroup, prefix: number, listedBy: ListedBy): Promise<boolean> {
    if (manifest === undefined) return true;
    const known = this.#prefixes.get(manifest);
    if (known !== undefined) return has(known, prefix);
    const content = await listedBy(manifest);
    return content === undefined || has(this.#prefixesOf(manifest, content), prefix);
  }

  #prefixesOf(manifest: Digest, { children, blobs }: ListedContent): Uint32Array {
    const known = this.#prefixes.get(manifest);
    if (known !== undefined) return known;
    const prefixes = Uint32Array.from([...children, ...blobs], ({ digest }) => prefixOf(digest)).sort();
    this.#prefixes.set(manifest, prefixes);
    return prefixes;
  }

  #note(scope: RepositoryScope, group: PartialGroup): void {
    const key = partialKey(scope);
    const before = this.#inMemory(key);
    const after = mergedPartial(before, { groups: [group] }, this.#options.clock());
    if (after === before) return;
    this.#known.set(key, after);
    this.#behind.add(key, after);
  }

  #inMemory(key: string): PartialRecord {
    return this.#known.get(key) ?? this.#behind.waiting(key) ?? emptyPartialRecord;
  }

  /** Whether the record could be read; what it says is then in memory. */
  async #read(key: string): Promise<boolean> {
    try {
      const stored = await this.#options.records.get(key);
      if (stored !== undefined) this.#learn(key, parsePartial(stored.bytes));
      return true;
    } catch (error) {
      this.#options.events?.storeFailed({ operation: 'read', error });
      return false;
    }
  }

  #learn(key: string, record: PartialRecord): void {
    this.#known.set(key, mergedPartial(record, this.#inMemory(key), this.#options.clock()));
  }

  /** Adds to the record what it lacks; replicas lose nothing of each other's. */
  async #write(key: string, record: PartialRecord): Promise<void> {
    const { records, clock } = this.#options;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const stored = await records.get(key);
      const before = parsePartial(stored?.bytes);
      const after = mergedPartial(before, record, clock());
      const condition = { ifVersion: stored?.version ?? 'absent' };
      if (after === before || (await records.put(key, partialBytes(after), condition)) !== undefined) {
        this.#learn(key, after);
        return;
      }
    }
    throw new Error('the record of partial tags changed during every attempt to write it');
  }
}

function prefixOf(digest: Digest): number {
  return Number.parseInt(hexOf(digest).slice(0, 8), 16);
}

function has(sorted: Uint32Array, wanted: number): boolean {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? 0) < wanted) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === wanted;
}
