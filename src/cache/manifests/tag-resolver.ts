import type { LRUCache } from 'lru-cache';
import { lasting } from '../../base/flow/lasting.ts';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { ageMs, withTimeout } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';
import { isNotFound, RegistryError, type UpstreamReply } from '../../oci/errors.ts';
import type { Reference, Repository, Tag } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import type { CacheEvents } from '../events.ts';
import { type Absence, absenceOf, rememberAbsence } from '../records/absence.ts';
import {
  confirmed,
  freshness,
  mayServeStale,
  moved,
  type TagPointer,
  type TagPolicy,
} from '../records/freshness.ts';
import type { TagPointers } from '../records/tag-pointers.ts';
import type { FoundManifest, HeldManifest, Manifests } from './manifests.ts';
import { createUpstreamPace } from './upstream-pace.ts';

/** A manifest as it is answered to a client. */
export interface ServedManifest extends HeldManifest {
  /** `Warning` values of the upstream. */
  readonly warnings: readonly string[];
  /** A warning of ours beside its own. */
  readonly notice?: string;
  /** Seconds since the upstream last confirmed it, for an answer older than the policy. */
  readonly ageSeconds?: number;
  /** When the upstream last confirmed the tag, milliseconds since the epoch. */
  readonly checkedAt?: number | undefined;
}

/** The manifests of one upstream by tag or digest. */
export interface TagResolver {
  /** Throws `MANIFEST_UNKNOWN` without a tag, and the upstream's refusal without an answer. */
  resolve(repository: Repository, reference: Reference): Promise<ServedManifest>;
  /** The result of `resolve` if it is in memory and fresh. */
  ready(repository: Repository, reference: Reference): ServedManifest | undefined;
  /** What is kept of the tag, of any age that may be answered; asks no upstream. */
  kept(repository: Repository, tag: Tag): Promise<ServedManifest | undefined>;
  /** What is known of a missing tag; undefined where nothing is. */
  absence(repository: Repository, tag: Tag): Absence | undefined;
  /** Resolves once refreshes behind an answer have ended. */
  settled(): Promise<void>;
}

interface TagResolverOptions {
  readonly upstream: RegistryReader;
  readonly manifests: Manifests;
  readonly tags: TagPointers;
  readonly policy: TagPolicy;
  readonly historyEntries: number;
  /** "No such tag" by upstream, repository and tag, with where else it was looked for. */
  readonly absent: LRUCache<string, string>;
  /** How long a client waits for the upstream while an older answer is at hand, milliseconds. */
  readonly patienceMs: number;
  readonly now: () => number;
  readonly events?: Pick<CacheEvents, 'tagLookedUp' | 'tagMoved' | 'tagResolving'>;
}

/** What a question brought; old where the replica that was asked could not ask either. */
interface SaidPointer {
  readonly pointer: TagPointer;
  readonly isOld: boolean;
}

/** Tags over manifests by digest: asked as rarely as the policy allows, once for all who wait. */
export function createTagResolver(options: TagResolverOptions): TagResolver {
  const { upstream, manifests, tags, policy, absent, now, events } = options;
  const asking = createSingleFlight<SaidPointer>();
  const behind = new Set<Promise<void>>();
  const pace = createUpstreamPace(options.patienceMs, now);

  const scopeOf = (repository: Repository) => ({ upstream: upstream.name, repository });
  const keyOf = (repository: Repository, tag: Tag): string => `${upstream.name}/${repository}:${tag}`;

  async function resolve(repository: Repository, { digest, tag }: Reference): Promise<ServedManifest> {
    if (digest !== undefined) return served(await manifests.get(repository, digest));
    return lasting(events?.tagResolving, { ...scopeOf(repository), tag }, () => tagged(repository, tag));
  }

  async function tagged(repository: Repository, tag: Tag): Promise<ServedManifest> {
    const pointer = await tags.find(scopeOf(repository), tag);
    if (pointer === undefined) {
      events?.tagLookedUp?.({ ...scopeOf(repository), tag });
      return learned(repository, tag);
    }
    const isOutdated = tags.isOutdated(scopeOf(repository), tag, pointer);
    const verdict = isOutdated ? 'ask' : freshness(tag, pointer, policy, now());
    const { digest: known, checkedAt } = pointer;
    events?.tagLookedUp?.({ ...scopeOf(repository), tag, digest: known, checkedAt, freshness: verdict });
    switch (verdict) {
      case 'answer':
        return answer(repository, tag, pointer);
      case 'answer-and-refresh':
        refreshBehind(repository, tag, pointer);
        return answer(repository, tag, pointer);
      case 'ask':
        return asked(repository, tag, pointer);
    }
  }

  function ready(repository: Repository, { digest, tag }: Reference): ServedManifest | undefined {
    if (digest !== undefined) return readyBy(repository, digest);
    const pointer = tags.known(scopeOf(repository), tag);
    if (pointer === undefined || freshness(tag, pointer, policy, now()) !== 'answer') return undefined;
    if (tags.isOutdated(scopeOf(repository), tag, pointer)) return undefined;
    return readyBy(repository, pointer.digest, tag, pointer);
  }

  function readyBy(repository: Repository, digest: Digest, tag?: Tag, pointer?: TagPointer) {
    const held = manifests.known(repository, digest, tag);
    return held && served(held, pointer?.warnings, pointer?.checkedAt);
  }

  async function learned(repository: Repository, tag: Tag): Promise<ServedManifest> {
    const { pointer, isOld } = await refresh(repository, tag, undefined);
    const { digest, warnings = [], checkedAt } = pointer;
    const held = await manifests.get(repository, digest, tag);
    const filled = { ...held, hit: 'fill', warnings, checkedAt } as const;
    return isOld ? aged(filled, pointer) : filled;
  }

  async function answer(repository: Repository, tag: Tag, pointer: TagPointer): Promise<ServedManifest> {
    try {
      const held = await manifests.get(repository, pointer.digest, tag, pointer);
      return served(held, pointer.warnings, pointer.checkedAt);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return learned(repository, tag);
    }
  }

  async function asked(repository: Repository, tag: Tag, pointer: TagPointer): Promise<ServedManifest> {
    const refreshed = refresh(repository, tag, pointer);
    const older = { pointer, isOld: true };
    let latest: SaidPointer = older;
    if (!mayServeStale(pointer, policy, now())) latest = await refreshed;
    else
      try {
        latest = await withTimeout(refreshed, pace.patienceMs(), () => older);
      } catch (error) {
        if (isNotFound(error)) throw error;
      }
    const known = await answer(repository, tag, latest.pointer);
    return latest.isOld ? aged(known, latest.pointer) : known;
  }

  async function kept(repository: Repository, tag: Tag): Promise<ServedManifest | undefined> {
    const pointer = await tags.find(scopeOf(repository), tag);
    if (pointer === undefined || !mayServeStale(pointer, policy, now())) return undefined;
    const stored = await manifests.reading.stored(repository, pointer.digest);
    return stored && served(stored, pointer.warnings, pointer.checkedAt);
  }

  function aged(known: ServedManifest, { checkedAt }: TagPointer): ServedManifest {
    const ageSeconds = Math.round(ageMs(checkedAt, now()) / 1000);
    const notice = `299 - "${upstream.name} could not be asked; this tag was last confirmed ${ageSeconds} s ago"`;
    return { ...known, hit: 'stale', ageSeconds, notice };
  }

  function refreshBehind(repository: Repository, tag: Tag, pointer: TagPointer): void {
    const done: Promise<void> = refresh(repository, tag, pointer).then(
      () => void behind.delete(done),
      () => void behind.delete(done),
    );
    behind.add(done);
  }

  /** The upstream's answer, shared by all who wait; throws `MANIFEST_UNKNOWN` for a missing tag. */
  function refresh(repository: Repository, tag: Tag, pointer: TagPointer | undefined): Promise<SaidPointer> {
    const key = keyOf(repository, tag);
    const known = absent.get(key);
    if (known !== undefined) return Promise.reject(tagUnknown(tag, known));
    return asking(key, () =>
      pointer === undefined ? learn(repository, tag) : pace.followed(revalidate(repository, tag, pointer)),
    );
  }

  async function revalidate(repository: Repository, tag: Tag, pointer: TagPointer): Promise<SaidPointer> {
    const etag = pointer.etag === undefined ? {} : { etag: pointer.etag };
    const head = await upstream.manifest(repository, { tag }, { method: 'HEAD', isUrgent: true, ...etag });
    if (head.kind === 'absent') return gone(repository, tag, pointer, head);
    if (head.kind === 'unchanged') return set(repository, tag, confirmed(pointer, now()));
    // A replica that knows less than this one: what it says must not undo what is known here.
    if (head.ageMs !== undefined && now() - head.ageMs < pointer.checkedAt) return said(tag, pointer);
    const { digest } = head.descriptor;
    const isThere = digest === pointer.digest || (await isHad(repository, digest, tag));
    const latest = isThere ? head : await askedByTag(repository, tag);
    // With an age it is another replica's word, which that one has told already.
    if (digest !== pointer.digest && head.ageMs === undefined)
      events?.tagMoved?.({ ...scopeOf(repository), tag, digest });
    return set(repository, tag, moved(pointer, pointerOf(latest), options.historyEntries), latest.ageMs);
  }

  /** False if the upstream named the manifest and has none: one of its servers lags. */
  async function isHad(repository: Repository, digest: Digest, tag: Tag): Promise<boolean> {
    try {
      await manifests.get(repository, digest, tag);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** The manifest by its tag's name. Throws `UNAVAILABLE` without one: the tag existed. */
  async function askedByTag(repository: Repository, tag: Tag): Promise<FoundManifest> {
    const found = await upstream.manifest(repository, { tag }, { isUrgent: true });
    const message = 'the upstream does not serve the digest that it names for this tag';
    if (found.kind !== 'found')
      throw new RegistryError('UNAVAILABLE', message, { detail: { tag }, retryAfterSeconds: 5 });
    await manifests.keep(repository, found, tag);
    return found;
  }

  async function learn(repository: Repository, tag: Tag): Promise<SaidPointer> {
    const found = await upstream.manifest(repository, { tag }, { isUrgent: true });
    if (found.kind !== 'found') {
      const absence = found.kind === 'absent' ? found : undefined;
      rememberAbsence(absent, keyOf(repository, tag), absence);
      throw tagUnknown(tag, absence?.reason, absence?.reply);
    }
    await manifests.keep(repository, found, tag);
    return set(repository, tag, pointerOf(found), found.ageMs);
  }

  function gone(
    repository: Repository,
    tag: Tag,
    pointer: TagPointer,
    absence: Partial<Absence>,
  ): SaidPointer {
    if (absence.ageMs === undefined) events?.tagMoved?.({ ...scopeOf(repository), tag });
    if (policy.gone === 'keep') {
      // Without its entity tag: if the tag comes back, a 304 would not end the warning.
      const { etag: _, ...known } = confirmed(pointer, now());
      const warning = `299 - "${upstream.name} no longer has this tag; this is its last known content"`;
      return set(repository, tag, { ...known, warnings: [warning] });
    }
    rememberAbsence(absent, keyOf(repository, tag), absence);
    tags.remove(scopeOf(repository), tag);
    throw tagUnknown(tag, absence.reason);
  }

  /** `ageMs`: how old it was as another replica said it. */
  function set(repository: Repository, tag: Tag, pointer: TagPointer, ageMs = 0): SaidPointer {
    tags.set(scopeOf(repository), tag, pointer);
    return ageMs > 0 ? said(tag, pointer) : { pointer, isOld: false };
  }

  function said(tag: Tag, pointer: TagPointer): SaidPointer {
    return { pointer, isOld: freshness(tag, pointer, policy, now()) === 'ask' };
  }

  function pointerOf({ descriptor, etag, warnings, ageMs = 0 }: FoundManifest): Omit<TagPointer, 'history'> {
    const { digest, mediaType, size } = descriptor;
    const checkedAt = now() - ageMs;
    return { digest, mediaType, size, checkedAt, warnings, ...(etag === undefined ? {} : { etag }) };
  }

  return {
    resolve,
    ready,
    kept,
    absence: (repository, tag) => absenceOf(absent, keyOf(repository, tag)),
    async settled() {
      await Promise.all(behind);
    },
  };
}

const noWarnings: readonly string[] = Object.freeze([]);

function served(
  { descriptor, bytes, hit }: HeldManifest,
  warnings = noWarnings,
  checkedAt?: number,
): ServedManifest {
  return { descriptor, bytes, hit, warnings, checkedAt };
}

function tagUnknown(tag: Tag, reason = '', reply?: UpstreamReply): RegistryError {
  const message = `the repository has no such tag${reason && `: ${reason}`}`;
  return new RegistryError('MANIFEST_UNKNOWN', message, { detail: { tag }, reply });
}
