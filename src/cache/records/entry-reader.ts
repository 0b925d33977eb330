import type { LRUCache } from 'lru-cache';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import type { CacheEvents } from '../events.ts';
import type { IndexEntry } from '../members/index-entry.ts';
import { LaterRecord } from '../members/joint-record.ts';
import type { MemberRecords } from '../members/member-records.ts';
import type { MergedMember } from '../members/single-records.ts';

/** What is known of a digest in a repository: its member, or that there is none. */
export type HeldEntry = IndexEntry | 'absent';

interface EntryReaderOptions {
  readonly members: Pick<MemberRecords, 'read'>;
  readonly merged: MergedMember;
  /** What was read is remembered here. */
  readonly memory: LRUCache<string, HeldEntry>;
  /** What is known meanwhile, also of what waits to be written. */
  readonly held: (key: string) => HeldEntry | undefined;
  /** How long "never seen" is remembered, milliseconds. Default 5,000. */
  readonly negativeMs?: number;
  readonly events?: Pick<CacheEvents, 'storeFailed'>;
}

type ReadEntry = (
  scope: RepositoryScope,
  digest: Digest,
  afresh?: boolean,
) => Promise<IndexEntry | 'absent' | 'unreadable'>;

/** One record read that all who ask for the same digest share, told apart from one that fails. */
export function entryReader(options: EntryReaderOptions): ReadEntry {
  const { members, merged, memory, held, events, negativeMs = 5_000 } = options;
  const asking = createSingleFlight<IndexEntry | 'absent' | 'unreadable'>();

  async function read(key: string, scope: RepositoryScope, digest: Digest, afresh: boolean) {
    try {
      const stored = await members.read(scope, digest, afresh);
      const meanwhile = present(held(key));
      const found = meanwhile === undefined ? stored : merged(scope, stored, meanwhile);
      memory.set(key, found ?? 'absent', { ttl: found === undefined ? negativeMs : 0 });
      return found ?? 'absent';
    } catch (error) {
      if (!(error instanceof LaterRecord)) events?.storeFailed({ operation: 'read', error });
      return 'unreadable';
    }
  }

  return (scope, digest, afresh = false) => {
    const key = memoryKey(scope, digest);
    return asking(afresh ? `${key} afresh` : key, () => read(key, scope, digest, afresh));
  };
}

/** A digest in a repository, as a key. */
export function memoryKey(scope: RepositoryScope, digest: Digest): string {
  return `${scope.upstream}/${scope.repository}@${digest}`;
}

/** The member, where there is one. */
export function present(known: IndexEntry | 'absent' | 'unreadable' | undefined): IndexEntry | undefined {
  return typeof known === 'string' ? undefined : known;
}
