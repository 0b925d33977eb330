// Room `cache/records`: what is known of a repository: members, tags, freshness. In: records of the
// store, answers of the upstream. Out: which digest belongs where, and under which tags. Imports:
// base, cache/members, oci, store; types of cache.

import { createLru } from '../../base/state/lru.ts';
import { WriteBehind } from '../../base/state/write-behind.ts';
import { defined } from '../../base/text/defined.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isManifestType } from '../../oci/manifest.ts';
import type { Tag } from '../../oci/reference.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import type { CacheEvents } from '../events.ts';
import { rememberedScopes } from '../members/entry-tags.ts';
import { type IndexEntry, indexEntryOf, isWorthWriting, mergedEntry } from '../members/index-entry.ts';
import { LaterRecord } from '../members/joint-record.ts';
import { MemberRecords } from '../members/member-records.ts';
import type { MemberAddition } from '../members/single-records.ts';
import { entryReader, type HeldEntry, memoryKey, present } from './entry-reader.ts';
import { type ListedBy, type PartialManifest, PartialTags, type UnrecordedTags } from './partial-tags.ts';
import { Unwritten } from './unwritten.ts';

interface SeenContent extends Descriptor {
  /** Tags whose graph held it, the latest last. The same array until that changes. */
  readonly tags: readonly Tag[];
}

/** Which digests were seen in which repository: content is served only where it was seen. */
export interface RepositoryIndex {
  /**
   * What is known of the digest in that repository; undefined when it was never seen there, when
   * its record is one that an earlier version may have written in error, or cannot be read just
   * now. Undefined never means "no": ask the upstream.
   */
  find(scope: RepositoryScope, digest: Digest): Promise<Descriptor | undefined>;
  /** What `find` finds without reading a record; undefined if it had to read, or finds nothing. */
  known(scope: RepositoryScope, digest: Digest): SeenContent | undefined;
  /**
   * Records that the upstream showed these in that repository, and under which tag. In force before
   * the call returns; the records are written behind. `isNew`: the upstream was asked because no
   * replica seems to know them. Never rejects.
   */
  add(
    scope: RepositoryScope,
    descriptors: readonly Descriptor[],
    tag?: Tag,
    options?: { readonly isNew?: boolean },
  ): Promise<void>;
  /** Remembers that below these tags hangs what the manifest lists, of which not all was added. */
  addPartial(scope: RepositoryScope, manifest: PartialManifest, tags: readonly Tag[]): void;
  /** As `add`, for the entries of a manifest under these tags, the most recent tag last. */
  inherit(scope: RepositoryScope, descriptors: readonly Descriptor[], tags: readonly Tag[]): Promise<void>;
  /**
   * The content was read to its end and was right: its size stands from now on, and of a manifest
   * the type that it was answered with, whatever manifests say of it that list it. In force before
   * the call returns, and never rejects, like `add`.
   */
  correct(scope: RepositoryScope, descriptor: Descriptor): Promise<void>;
  /**
   * Tags whose graph held the digest, the latest last; perhaps no longer. Of very many, one per
   * scope. At once if some are in memory, unless `afresh`, which reads those of other replicas.
   * Throws `UNAVAILABLE` if the record cannot be read.
   */
  tagsOf(
    scope: RepositoryScope,
    digest: Digest,
    options?: { readonly afresh?: boolean },
  ): readonly Tag[] | Promise<readonly Tag[]>;
  /** Tags in memory of manifests that list the digest, and too many others to have records. */
  partialTags(scope: RepositoryScope, digest: Digest): readonly Tag[];
  /**
   * Tags that may reference a digest although its record does not say so: records are missing for
   * the children of a giant manifest, and where the store could not be written. Incomplete where
   * more are missing than memory holds, and while the store cannot be read or written, as other
   * replicas then cannot share what they learned. Never rejects.
   */
  unrecordedTags(scope: RepositoryScope, digest: Digest, listedBy: ListedBy): Promise<UnrecordedTags>;
  /** Tags may have other scopes now: what is remembered of them counts no more. */
  rightsChanged(): void;
  /** Looks at what the store holds, so that no pull waits for that. May reject. */
  prepare(): Promise<void>;
  /** Resolves once every record is written, or tried again and failed. For shutdown and tests. */
  settled(): Promise<void>;
  /** Writes what waits, then stops. */
  close(): Promise<void>;
}

export interface RepositoryIndexOptions {
  readonly records: Records;
  /** The scope of a tag: its tags have equal rights, one of each is kept. Default: one scope. */
  readonly scopeOf?: (scope: RepositoryScope, tag: Tag) => string;
  /** Digests per repository kept in memory, about 0.5 KB each. Default 100,000. */
  readonly maxEntries?: number;
  /** Records that wait to be written. Default 10,000. */
  readonly maxWaiting?: number;
  /** How long "never seen" is remembered, ms: another replica may learn better. Default 5,000. */
  readonly negativeMs?: number;
  /** Records of single members written at a time. Default 8. */
  readonly concurrency?: number;
  /** See MemberRecords. Default 128 KiB. */
  readonly maxJointBytes?: number;
  /** Names this replica in records. */
  readonly by?: string;
  /** Pause after a failed write, milliseconds; grows while it fails. Default 1,000. */
  readonly retryMs?: number;
  /** Whether replicas can write records now. Default: yes. */
  readonly isWritable?: () => Promise<boolean>;
  /** Told of each record that could not be read or written; no pull fails for it. */
  readonly events?: Pick<CacheEvents, 'storeFailed'>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

/** Additions under way at a time: those of one joint record are one write. */
const mostJoined = 64;

/** Membership kept in records, with the most recently used part of it in memory. */
export function createRepositoryIndex(options: RepositoryIndexOptions): RepositoryIndex {
  const clock = options.clock ?? Date.now;
  const { records, events, retryMs, concurrency = 8, maxJointBytes, by } = options;
  const partial = new PartialTags({ records, events, retryMs, clock });
  /** In memory alone: written when the queue has room again, or seen again. */
  const unwritten = new Unwritten<MemberAddition>();
  const memory = createLru<string, HeldEntry>(options.maxEntries ?? 100_000, {
    now: clock,
    dispose(member, key, reason) {
      const lost = reason === 'evict' ? unwritten.take(key) : undefined;
      if (lost !== undefined) partial.addUnwritten(lost.scope, present(member)?.tags ?? []);
    },
  });
  const { scopeOf, forget: forgetScopes } = rememberedScopes(options.scopeOf);
  const merged = (scope: RepositoryScope, before: IndexEntry | undefined, seen: IndexEntry): IndexEntry =>
    mergedEntry(before, seen, { scope, scopeOf });
  const members = new MemberRecords({ records, merged, concurrency, maxJointBytes, by, clock });
  let told: unknown;
  const queue = new WriteBehind<MemberAddition>({
    async write(key, addition) {
      const after = await members.write(addition).catch(keptInMemory);
      if (after === undefined) {
        if (memory.has(key)) unwritten.withhold(key, addition);
        return partial.addUnwritten(addition.scope, addition.member.tags);
      }
      const newer = present(memory.get(key));
      if (newer !== undefined) memory.set(key, merged(addition.scope, after, newer), { ttl: 0 });
    },
    concurrency: maxJointBytes === 0 ? concurrency : mostJoined,
    laneOf: ({ scope }) => `${scope.upstream}/${scope.repository}`,
    written() {
      const next = unwritten.next();
      if (next !== undefined) queue.add(next.key, latest(next.key, next.job));
    },
    // What several additions share failed once.
    failed(error) {
      if (error !== told) options.events?.storeFailed({ operation: 'write', error });
      told = error;
    },
    dropped(key, addition) {
      if (memory.has(key)) unwritten.set(key, addition);
      else partial.addUnwritten(addition.scope, addition.member.tags);
    },
    ...defined({ maxWaiting: options.maxWaiting, retryMs }),
  });
  const held = (key: string): IndexEntry | 'absent' | undefined =>
    memory.get(key) ?? queue.waiting(key)?.member;
  const reading = entryReader({ ...options, members, merged, memory, held });
  const latest = (key: string, addition: MemberAddition): MemberAddition => ({
    ...addition,
    member: present(memory.get(key)) ?? addition.member,
  });

  function addOne(
    scope: RepositoryScope,
    digest: Digest,
    added: IndexEntry,
    { isInherited = false, isNew = false } = {},
  ): void {
    const key = memoryKey(scope, digest);
    const waiting = queue.waiting(key);
    const known = present(memory.get(key)) ?? waiting?.member;
    const seen = mergedEntry(known, added, { scope, scopeOf, isInherited });
    const isUnwritten = unwritten.take(key) !== undefined;
    if (seen === known && !isUnwritten) return;
    memory.set(key, seen, { ttl: 0 });
    if (isUnwritten || isWorthWriting(known, seen))
      queue.add(key, {
        scope,
        digest,
        member: seen,
        isNew: waiting?.isNew ?? (isNew && known === undefined),
      });
  }

  return {
    async find(scope, digest) {
      const key = memoryKey(scope, digest);
      const read = held(key) ?? (await reading(scope, digest));
      const found = trusted(read === 'unreadable' ? present(held(key)) : present(read));
      return found === undefined ? undefined : descriptorOf(digest, found);
    },
    known(scope, digest) {
      const found = trusted(present(held(memoryKey(scope, digest))));
      return found === undefined ? undefined : seenContent(digest, found);
    },
    async add(scope, descriptors, tag, adding) {
      const now = clock();
      const tags = tag === undefined ? [] : [tag];
      for (const descriptor of descriptors)
        addOne(scope, descriptor.digest, indexEntryOf(descriptor, tags, now), adding);
    },
    addPartial: (scope, manifest, tags) => partial.addManifest(scope, manifest, tags),
    async inherit(scope, descriptors, tags) {
      const now = clock();
      for (const descriptor of descriptors)
        addOne(scope, descriptor.digest, indexEntryOf(descriptor, tags, now), { isInherited: true });
    },
    async correct(scope, { digest, size, mediaType }) {
      const type = mediaType !== undefined && isManifestType(mediaType) ? { mediaType } : {};
      const member = indexEntryOf({ digest, size, ...type }, [], clock());
      addOne(scope, digest, member.size < 0 ? member : { ...member, isProven: true });
    },
    tagsOf(scope, digest, { afresh = false } = {}) {
      const known = present(held(memoryKey(scope, digest)))?.tags ?? [];
      return known.length > 0 && !afresh ? known : reading(scope, digest, afresh).then(tagsOrThrow);
    },
    partialTags: (scope, digest) => partial.known(scope, digest),
    async unrecordedTags(scope, digest, listedBy) {
      const found = await partial.towards(scope, digest, listedBy);
      return found.isAll && (await options.isWritable?.()) === false ? { ...found, isAll: false } : found;
    },
    rightsChanged: forgetScopes,
    prepare: () => members.prepare(),
    async settled() {
      await queue.settled();
      await partial.settled();
    },
    async close() {
      await queue.close();
      await partial.close();
    },
  };
}

/** The store works, but another version has the record. */
function keptInMemory(error: unknown): undefined {
  if (!(error instanceof LaterRecord)) throw error;
}

function tagsOrThrow(found: IndexEntry | 'absent' | 'unreadable'): readonly Tag[] {
  if (found !== 'unreadable') return present(found)?.tags ?? [];
  throw new RegistryError('UNAVAILABLE', 'the store cannot tell which tags reference this digest', {
    retryAfterSeconds: 5,
  });
}

function trusted(member: IndexEntry | undefined): IndexEntry | undefined {
  return member?.isDoubtful ? undefined : member;
}

function descriptorOf(digest: Digest, { size, mediaType }: IndexEntry): Descriptor {
  return mediaType === undefined ? { digest, size } : { digest, size, mediaType };
}

function seenContent(digest: Digest, { size, mediaType, tags }: IndexEntry): SeenContent {
  return mediaType === undefined ? { digest, size, tags } : { digest, size, mediaType, tags };
}
