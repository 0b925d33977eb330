import { firstFound, firstPassing } from '../../base/flow/each.ts';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/reference.ts';
import type { FinalRuling, Ruling } from './rules.ts';

/** A tag that may lead to a digest, and what the rules say of the tag. */
export interface TagPath<R extends Ruling = Ruling> {
  readonly ruling: R;
  /** The label of `root`, where that is given. */
  readonly tag: Tag;
  readonly digest: Digest;
  /** A manifest that a trusted image stream names, and above or the same as the digest. */
  readonly root?: Digest;
  /** Only an image stream says so: the upstream itself must. */
  readonly isHint?: true;
}

/** The paths to a digest that has these tags. */
export type Paths = (tags: readonly Tag[], digest: Digest) => Iterable<TagPath>;

/** A way whose tag the subject may or may not pull, by a question and not by yet another digest. */
export type FinalTagPath = TagPath<FinalRuling>;

type FollowTagPath = TagPath<Extract<Ruling, { kind: 'follow' }>>;

/** What `followedWays` asks of the content's graph. */
export interface TagPathSteps {
  /** Tags that may lead to the digest. */
  tagsTowards(digest: Digest): MaybePromise<readonly Tag[]>;
  /** Whether the way's tag does lead to its digest. */
  leads(way: TagPath): MaybePromise<boolean>;
}

/** A signature of an attestation of a component: the deepest that tools make. */
const deepest = 3;
/** A layer that many share may be under as many tags of this kind; each costs a look at records. */
const mostFollowed = 256;
const followedAtOnce = 8;

/** Those of the ways that need no other digest. */
export function* finalTagPaths(ways: Iterable<TagPath>): Generator<FinalTagPath> {
  for (const way of ways) if (isFinal(way)) yield way;
}

/**
 * The tag paths to the digests that tags on the given paths name: the right to one of these covers
 * the content of the given paths. Follows only tags that do reference the content, each digest
 * once, a few levels and digests. Rejects as the steps do.
 */
export async function followedTagPaths(
  paths: Paths,
  { direct, steps }: { readonly direct: readonly TagPath[]; readonly steps: TagPathSteps },
): Promise<readonly FinalTagPath[]> {
  const found: FinalTagPath[] = [];
  const seen = new Set(direct.map(({ digest }) => digest));
  let level = direct;
  for (let depth = 0; depth < deepest && level.length > 0; depth += 1) {
    const named = [...namedDigests(level, seen)].slice(0, mostFollowed - seen.size);
    const tags = await followed(named, steps);
    level = named.flatMap(([digest]) => {
      const above = tags.get(digest);
      return above === undefined ? [] : [...paths(above, digest)];
    });
    found.push(...finalTagPaths(level));
    for (const digest of tags.keys()) seen.add(digest);
  }
  return found;
}

/** The digests that tags on the ways name, those seen before left out, and the ways to each. */
function namedDigests(
  ways: readonly TagPath[],
  seen: ReadonlySet<Digest>,
): ReadonlyMap<Digest, readonly FollowTagPath[]> {
  const open = ways.filter(isFollow).filter(({ ruling }) => !seen.has(ruling.digest));
  return Map.groupBy(open, ({ ruling }) => ruling.digest);
}

/** The tags towards those of the digests to which one of the ways does lead. */
async function followed(
  named: readonly (readonly [Digest, readonly FollowTagPath[]])[],
  steps: TagPathSteps,
): Promise<ReadonlyMap<Digest, readonly Tag[]>> {
  const tags = new Map<Digest, readonly Tag[]>();
  await firstFound(named, {
    atOnce: followedAtOnce,
    async find([digest, ways]) {
      const way = await firstPassing(ways.values(), (each) => steps.leads(each));
      if (way !== undefined) tags.set(digest, await steps.tagsTowards(digest));
      return undefined;
    },
  });
  return tags;
}

function isFollow(way: TagPath): way is FollowTagPath {
  return way.ruling.kind === 'follow';
}

function isFinal(way: TagPath): way is FinalTagPath {
  return way.ruling.kind !== 'follow';
}
