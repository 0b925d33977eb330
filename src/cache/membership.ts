import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { CacheEvents } from './events.ts';
import { type Member, memberBytes, memberOf, mergedMember, parseMember } from './member.ts';
import { memberKey, type RepositoryScope } from './store/keys.ts';
import type { Records } from './store/records.ts';
import { writeBehind } from './write-behind.ts';

/**
 * Which digests were seen in which repository. Content is kept once for all repositories, so this is what stands between
 * a client and content of a repository that it may not read: what was not seen there is not served from there.
 */
export interface Membership {
  /**
   * What is known of the digest in that repository; undefined when it was never seen there, or when the record cannot be
   * read just now. Undefined never means "no": ask the upstream.
   */
  find(scope: RepositoryScope, digest: Digest): Promise<Descriptor | undefined>;
  /** What `find` would find without reading a record; undefined when it would have to, or would find nothing. */
  known(scope: RepositoryScope, digest: Digest): Descriptor | undefined;
  /**
   * Remembers that the upstream showed these in that repository, and under which tag. In force before the call returns;
   * the records follow behind. Never rejects.
   */
  add(scope: RepositoryScope, descriptors: readonly Descriptor[], tag?: Tag): Promise<void>;
  /**
   * The blob was read to its end and was right: its size stands from now on, whatever was said of it before or is said later. In force
   * before the call returns, and never rejects, like `add`.
   */
  correct(scope: RepositoryScope, descriptor: Descriptor): Promise<void>;
  /** Tags whose graph held the digest, the latest ones of many; possibly no longer. */
  tagsOf(scope: RepositoryScope, digest: Digest): Promise<readonly Tag[]>;
  /** Resolves once every record is written, or tried again and failed. For shutdown and tests. */
  settled(): Promise<void>;
  /** Writes what waits, then stops. */
  close(): Promise<void>;
}

export interface MembershipOptions {
  readonly records: Records;
  /** Digests per repository kept in memory, about 0.5 KB each. Default 100,000. */
  readonly maxEntries?: number;
  /** How long "never seen" is remembered, milliseconds: another replica may learn better. Default 5,000. */
  readonly negativeMs?: number;
  /** Records written at a time. Default 8. */
  readonly concurrency?: number;
  /** Pause after a failed write, milliseconds; grows while it fails. Default 1,000. */
  readonly retryMs?: number;
  /** Told of each record that could not be read or written; no pull fails for it. */
  readonly events?: Pick<CacheEvents, 'storeFailed'>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

/** What waits to be written, and where it goes. */
interface Addition {
  readonly record: string;
  readonly member: Member;
}

type Remembered = LRUCache<string, Member | 'absent'>;

/** Conditional writes lost in a row before the write is left for later: replicas that learn the same at once. */
const attempts = 5;

/** Membership kept in records, with the most recently used part of it in memory. */
export function membership(options: MembershipOptions): Membership {
  const clock = options.clock ?? Date.now;
  const memory: Remembered = new LRUCache({
    max: options.maxEntries ?? 100_000,
    perf: { now: clock },
    ttlResolution: 0,
  });
  const queue = writeBehind<Addition>({
    write: (key, addition) => write(options.records, memory, key, addition),
    failed: (error) => options.events?.storeFailed({ operation: 'write', error }),
    dropped: (key) => memory.delete(key),
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
    ...(options.retryMs === undefined ? {} : { retryMs: options.retryMs }),
  });
  const held = (key: string): Member | 'absent' | undefined => memory.get(key) ?? queue.waiting(key)?.member;
  const member = reader(options, memory, held);

  function addOne(scope: RepositoryScope, digest: Digest, added: Member): void {
    const key = memoryKey(scope, digest);
    const known = present(memory.get(key)) ?? queue.waiting(key)?.member;
    const seen = mergedMember(known, added);
    if (seen === known) return;
    memory.set(key, seen, { ttl: 0 });
    queue.add(key, { record: memberKey(scope.upstream, scope.repository, digest), member: seen });
  }

  return {
    async find(scope, digest) {
      const found = await member(scope, digest);
      return found === undefined ? undefined : descriptorOf(digest, found);
    },
    known(scope, digest) {
      const found = present(held(memoryKey(scope, digest)));
      return found === undefined ? undefined : descriptorOf(digest, found);
    },
    async add(scope, descriptors, tag) {
      const now = clock();
      for (const descriptor of descriptors) addOne(scope, descriptor.digest, memberOf(descriptor, tag, now));
    },
    async correct(scope, { digest, size }) {
      addOne(scope, digest, { ...memberOf({ digest, size }, undefined, clock()), isProven: true });
    },
    async tagsOf(scope, digest) {
      return (await member(scope, digest))?.tags ?? [];
    },
    settled: queue.settled,
    close: queue.close,
  };
}

/** Memory first, then one record read that all who ask for the same digest share. */
function reader(
  options: MembershipOptions,
  memory: Remembered,
  held: (key: string) => Member | 'absent' | undefined,
): (scope: RepositoryScope, digest: Digest) => Promise<Member | undefined> {
  const reading = new Map<string, Promise<Member | undefined>>();

  async function read(key: string, record: string): Promise<Member | undefined> {
    try {
      const stored = parseMember((await options.records.get(record))?.bytes);
      const meanwhile = present(held(key));
      const found = meanwhile === undefined ? stored : mergedMember(stored, meanwhile);
      memory.set(key, found ?? 'absent', { ttl: found === undefined ? (options.negativeMs ?? 5_000) : 0 });
      return found;
    } catch (error) {
      options.events?.storeFailed({ operation: 'read', error });
      return present(memory.get(key));
    } finally {
      reading.delete(key);
    }
  }

  return async (scope, digest) => {
    const key = memoryKey(scope, digest);
    const known = held(key);
    if (known !== undefined) return present(known);
    const shared = reading.get(key) ?? read(key, memberKey(scope.upstream, scope.repository, digest));
    reading.set(key, shared);
    return await shared;
  };
}

/** Adds to the record what it lacks; replicas that write the same record at once lose nothing of each other. */
async function write(
  records: Records,
  memory: Remembered,
  key: string,
  { record, member }: Addition,
): Promise<void> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const stored = await records.get(record);
    const before = parseMember(stored?.bytes);
    const after = mergedMember(before, member);
    const isWritten =
      after === before ||
      (await records.put(record, memberBytes(after), { ifVersion: stored?.version ?? 'absent' })) !==
        undefined;
    if (isWritten) {
      const newer = present(memory.get(key));
      if (newer !== undefined) memory.set(key, mergedMember(after, newer), { ttl: 0 });
      return;
    }
  }
  throw new Error('the membership record is written by others again and again');
}

function memoryKey(scope: RepositoryScope, digest: Digest): string {
  return `${scope.upstream}/${scope.repository}@${digest}`;
}

function present(known: Member | 'absent' | undefined): Member | undefined {
  return known === 'absent' ? undefined : known;
}

function descriptorOf(digest: Digest, { size, mediaType }: Member): Descriptor {
  return mediaType === undefined ? { digest, size } : { digest, size, mediaType };
}
