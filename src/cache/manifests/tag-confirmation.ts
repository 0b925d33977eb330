import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import { confirmed, freshness, moved, type TagPointer, type TagPolicy } from '../records/freshness.ts';
import type { RepositoryIndex } from '../records/repository-index.ts';
import type { TagPointers } from '../records/tag-pointers.ts';

/**
 * What a tag means at the upstream itself, by one HEAD; its sources of misses are not asked.
 * Undefined where it has no such tag. What was learned within 5 s, and a missing tag within 30 s,
 * is not asked for again. The pointer is kept like any other, and the manifest's record names the
 * tag. Throws as the upstream does.
 */
export type TagConfirmation = (repository: Repository, tag: Tag) => Promise<TagPointer | undefined>;

interface TagConfirmationOptions {
  readonly upstream: RegistryReader;
  readonly membership: Pick<RepositoryIndex, 'add'>;
  readonly tags: Pick<TagPointers, 'find' | 'set'>;
  readonly policy: TagPolicy & { readonly historyEntries: number };
  readonly now: () => number;
}

const freshMs = 5_000;
const absentMs = 30_000;
const mostAbsent = 10_000;

/** Confirms tags for rights: a client of a digest names no tag that could be fetched by a GET. */
export function createTagConfirmation(options: TagConfirmationOptions): TagConfirmation {
  const { upstream, membership, tags, policy, now } = options;
  const asking = createSingleFlight<TagPointer | undefined>();
  const absent = createLru<string, true>(mostAbsent, { keepMs: absentMs, now });
  const believed = { ...policy, freshMs, refreshBehindMs: 0 };

  async function asked(repository: Repository, tag: Tag, known: TagPointer | undefined) {
    const scope = { upstream: upstream.name, repository };
    const etag = known?.etag === undefined ? {} : { etag: known.etag };
    const options = { method: 'HEAD', isUrgent: true, isOwn: true, ...etag } as const;
    const head = await upstream.manifest(repository, { tag }, options);
    // What another replica says is absent is remembered there.
    if (head.kind === 'absent' && head.ageMs === undefined) absent.set(`${repository}:${tag}`, true);
    if (head.kind === 'absent') return undefined;
    if (head.kind === 'unchanged') return known && kept(scope, tag, confirmed(known, now()));
    const { descriptor, warnings, etag: latest, ageMs = 0 } = head;
    // A replica that knows less than this one.
    if (known !== undefined && head.ageMs !== undefined && now() - ageMs < known.checkedAt) return known;
    await membership.add(scope, [descriptor], tag);
    const { digest, mediaType, size } = descriptor;
    const named = { digest, mediaType, size, checkedAt: now() - ageMs, warnings };
    const pointer = { ...named, ...(latest === undefined ? {} : { etag: latest }) };
    return kept(scope, tag, moved(known, pointer, policy.historyEntries));
  }

  function kept(scope: Parameters<TagPointers['set']>[0], tag: Tag, pointer: TagPointer): TagPointer {
    tags.set(scope, tag, pointer);
    return pointer;
  }

  return async (repository, tag) => {
    const key = `${repository}:${tag}`;
    const known = await tags.find({ upstream: upstream.name, repository }, tag);
    if (known !== undefined && freshness(tag, known, believed, now()) === 'answer') return known;
    if (absent.has(key)) return undefined;
    return asking(key, () => asked(repository, tag, known));
  };
}
