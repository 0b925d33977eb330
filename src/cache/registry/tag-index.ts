import type { ContentProofs, ContentTags } from '../../auth/access.ts';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import { ageMs, sleep } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';
import { isNotFound } from '../../oci/errors.ts';
import { isManifestType } from '../../oci/manifest.ts';
import type { Tag } from '../../oci/reference.ts';
import { isReferrersTag, referrersTag } from '../../oci/referrers-tag.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import type { TagPointer } from '../records/freshness.ts';
import { createParsedManifests, type ParsedManifests } from '../records/parsed.ts';
import type { ListedContent, UnrecordedTags } from '../records/partial-tags.ts';
import type { RepositoryIndex } from '../records/repository-index.ts';
import type { TagPointers } from '../records/tag-pointers.ts';
import {
  cannotTell,
  createManifestGraph,
  type ManifestGraph,
  type ManifestReader,
} from './manifest-graph.ts';
import type { CachedRegistry } from './registry.ts';

/** Known tags of content: the right to pull any of these tags grants the digest. */
export type TagIndex = ContentTags & ContentProofs;

interface TaggedRegistry extends Pick<CachedRegistry, 'tagAtUpstream'> {
  readonly tagged: Pick<CachedRegistry['tagged'], 'ready' | 'resolve'>;
  readonly reading: Pick<CachedRegistry['reading'], 'peek' | 'stored' | 'read'>;
}

interface TagIndexOptions {
  readonly membership: Pick<RepositoryIndex, 'known' | 'find' | 'tagsOf' | 'partialTags' | 'unrecordedTags'>;
  readonly tags: Pick<TagPointers, 'known' | 'reread'>;
  /** The upstream of that name behind the cache; undefined for one that is not configured. */
  readonly registry: (upstream: string) => TaggedRegistry | undefined;
  /**
   * How long a tag grants its former content, milliseconds, and the greatest age of the upstream's
   * answer on it. 0: only the current content, fresh. Default 7 days.
   */
  readonly formerMs?: (upstream: string) => number;
  /** How long other replicas may need to write what they learned, milliseconds. Default 1,000. */
  readonly lagMs?: number;
  readonly graphs?: ManifestGraph;
  /** Where manifests are read once for all. Default: for this reach alone. */
  readonly parsed?: ParsedManifests;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const sevenDaysMs = 7 * 86_400_000;
/** How long the upstream's no to a tag that a stream names is believed, ms, and how many are. */
const unledMs = 30_000;
const mostUnled = 10_000;

/** Looks at the records of other replicas, as parts of the lag. */
const looks = [0, 0.25, 0.75];

/** What the membership, the tags and the manifests of all upstreams say together. */
export function createTagIndex(options: TagIndexOptions): TagIndex {
  const { membership, tags, registry, now } = options;
  const { formerMs = () => sevenDaysMs, lagMs = 1_000, parsed = createParsedManifests() } = options;
  const { graphs: below = createManifestGraph({ parsed }) } = options;
  const looking = createSingleFlight<boolean>();
  const lookingAfresh = createSingleFlight<readonly Tag[]>();
  const lookingUnrecorded = createSingleFlight<UnrecordedTags>();
  const unled = createLru<string, true>(mostUnled, { keepMs: unledMs, now });
  /** By the array of a record, which stays the same until the record changes. */
  const latestFirst = new WeakMap<readonly Tag[], readonly Tag[]>();

  function reversed(known: readonly Tag[]): readonly Tag[] {
    const found = latestFirst.get(known) ?? known.toReversed();
    latestFirst.set(known, found);
    return found;
  }

  async function tagsAfresh(place: RepositoryScope, digest: Digest): Promise<readonly Tag[]> {
    const before = new Set(membership.known(place, digest)?.tags);
    let found: readonly Tag[] = [];
    for (const part of looks) {
      await sleep(part * lagMs);
      found = await membership.tagsOf(place, digest, { afresh: true });
      if (found.some((tag) => !before.has(tag))) break;
    }
    return reversed(found);
  }

  /** The digest of the tag, and those of the last `formerMs`. */
  function rootsOf(upstream: string, { digest, history = [] }: TagPointer): readonly Digest[] {
    const former = history.filter(({ until }) => ageMs(until, now()) < formerMs(upstream));
    return [digest, ...former.map((meaning) => meaning.digest)];
  }

  /** The cached tag is fresh, or would be served now to a client that asks for it. */
  function isFresh({ upstream, repository }: RepositoryScope, tag: Tag, { checkedAt }: TagPointer): boolean {
    return (
      ageMs(checkedAt, now()) < formerMs(upstream) ||
      registry(upstream)?.tagged.ready(repository, { tag }) !== undefined
    );
  }

  function isKnownToHold(place: RepositoryScope, pointer: TagPointer, digest: Digest): boolean {
    const reader = readerOf(place);
    return rootsOf(place.upstream, pointer).some(
      (root) => below.containsInMemory(root, digest, reader) === true,
    );
  }

  async function holds(place: RepositoryScope, pointer: TagPointer, digest: Digest): Promise<boolean> {
    const failures: unknown[] = [];
    for (const root of rootsOf(place.upstream, pointer))
      try {
        if (await below.contains(root, digest, readerOf(place))) return true;
      } catch (error) {
        failures.push(error);
      }
    if (failures.length > 0) throw failures[0];
    return false;
  }

  function readerOf({ upstream, repository }: RepositoryScope): ManifestReader {
    const reading = registry(upstream)?.reading;
    if (reading === undefined) throw cannotTell(new Error('the upstream is not configured'));
    return {
      peek: (digest) => reading.peek(repository, digest),
      stored: (digest) => reading.stored(repository, digest),
      read: (digest) => reading.read(repository, digest),
    };
  }

  /** Undefined where it cannot be told now. */
  async function listedBy(place: RepositoryScope, manifest: Digest): Promise<ListedContent | undefined> {
    try {
      return parsed.orNone(await readerOf(place).read(manifest));
    } catch {
      return undefined;
    }
  }

  async function looked(place: RepositoryScope, tag: Tag, digest: Digest): Promise<boolean> {
    const inMemory = tags.known(place, tag);
    if (inMemory !== undefined && (await holds(place, inMemory, digest)))
      return isFresh(place, tag, inMemory) || heldStill(place, tag, digest);
    const onRecord = await tags.reread(place, tag);
    const isOther = onRecord !== undefined && onRecord.digest !== inMemory?.digest;
    if (isOther && (await holds(place, onRecord, digest)))
      return isFresh(place, tag, onRecord) || heldStill(place, tag, digest);
    if (isReferrersTag(tag) && (await refersTo(place, tag, digest))) return true;
    const isOpen = onRecord === undefined && (await isNamed(place, tag, digest));
    return isOpen && heldStill(place, tag, digest);
  }

  /** Whether a record says that the tag leads there: a client may name any tag. */
  async function isNamed(place: RepositoryScope, tag: Tag, digest: Digest): Promise<boolean> {
    const labelled = await membership.tagsOf(place, digest);
    return labelled.includes(tag) || membership.partialTags(place, digest).includes(tag);
  }

  /**
   * What the tag would mean to a client that asks for it now: it was not asked for within
   * `formerMs`, or what it means is on no record, as of a signed schema 1 manifest.
   */
  async function heldStill(place: RepositoryScope, tag: Tag, digest: Digest): Promise<boolean> {
    try {
      await registry(place.upstream)?.tagged.resolve(place.repository, { tag });
    } catch (error) {
      if (isNotFound(error)) return false;
      throw cannotTell(error);
    }
    const pointer = tags.known(place, tag);
    return pointer !== undefined && holds(place, pointer, digest);
  }

  async function leadsNow(place: RepositoryScope, tag: Tag, digest: Digest): Promise<boolean> {
    const known = await tags.reread(place, tag);
    if (known !== undefined && isFresh(place, tag, known) && (await means(place, known, digest))) return true;
    const pointer = await registry(place.upstream)
      ?.tagAtUpstream(place.repository, tag)
      .catch((error: unknown) => {
        throw cannotTell(error);
      });
    if (pointer !== undefined && (await means(place, pointer, digest))) return true;
    unled.set(keyOf(place, digest, tag), true);
    return false;
  }

  /** What an image stream imports: a manifest, or one child of an index. Nothing deeper is read. */
  async function means(place: RepositoryScope, pointer: TagPointer, digest: Digest): Promise<boolean> {
    const roots = rootsOf(place.upstream, pointer);
    if (roots.includes(digest)) return true;
    const children = await Promise.all(roots.map((root) => childrenOf(place, root)));
    return children.flat().some((child) => child.digest === digest);
  }

  async function childrenOf(place: RepositoryScope, root: Digest): Promise<ListedContent['children']> {
    try {
      return parsed.orNone(await readerOf(place).read(root))?.children ?? [];
    } catch (error) {
      if (isNotFound(error)) return [];
      throw cannotTell(error);
    }
  }

  /**
   * A manifest says in its own bytes what it refers to; what is below it has its tags from there,
   * and is told from a manifest by a record that is not in doubt.
   */
  async function refersTo(place: RepositoryScope, tag: Tag, digest: Digest): Promise<boolean> {
    const labelled = await membership.tagsOf(place, digest);
    if (!labelled.includes(tag)) return false;
    const seen = await membership.find(place, digest);
    if (seen !== undefined && (seen.mediaType === undefined || !isManifestType(seen.mediaType))) return true;
    try {
      const { subject } = parsed.of(await readerOf(place).read(digest));
      return subject !== undefined && referrersTag(subject.digest) === tag;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw cannotTell(error);
    }
  }

  return {
    tagsContaining(place, digest, { afresh = false } = {}) {
      if (afresh) return lookingAfresh(keyOf(place, digest), () => tagsAfresh(place, digest));
      const found = membership.tagsOf(place, digest);
      return found instanceof Promise ? found.then(reversed) : reversed(found);
    },
    unrecordedTags: (place, digest) =>
      lookingUnrecorded(keyOf(place, digest), () =>
        membership.unrecordedTags(place, digest, (manifest) => listedBy(place, manifest)),
      ),
    tagContains(place, tag, digest) {
      const pointer = tags.known(place, tag);
      const isHeld = pointer !== undefined && isKnownToHold(place, pointer, digest);
      if (isHeld && isFresh(place, tag, pointer)) return true;
      return looking(keyOf(place, digest, tag), () => looked(place, tag, digest));
    },
    manifestContains(place, manifest, digest) {
      const reader = readerOf(place);
      if (below.containsInMemory(manifest, digest, reader) === true) return true;
      return looking(keyOf(place, digest, manifest), () => below.contains(manifest, digest, reader));
    },
    tagLeadsNow(place, tag, digest, { isBrief = false } = {}) {
      const pointer = tags.known(place, tag);
      const isMeant = pointer !== undefined && rootsOf(place.upstream, pointer).includes(digest);
      if (isMeant && isFresh(place, tag, pointer)) return true;
      if (isBrief || unled.has(keyOf(place, digest, tag))) return false;
      return looking(`${keyOf(place, digest, tag)} now`, () => leadsNow(place, tag, digest));
    },
  };
}

function keyOf({ upstream, repository }: RepositoryScope, digest: Digest, tag = ''): string {
  return `${upstream}/${repository}:${tag}@${digest}`;
}
