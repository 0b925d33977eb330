import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Answer, Place, Reach } from './access.ts';
import { answered, firstPassing } from './answer.ts';
import type { FinalRuling, RuleBook, Ruling } from './rules.ts';

/** A tag that may lead to a digest; where the tag itself names a digest, one that leads to that, and so on. */
export interface Way<R extends Ruling = Ruling> {
  /** What the rules say of the tag. */
  readonly ruling: R;
  readonly tag: Tag;
  readonly digest: Digest;
  /** From the digest that another tag names to the one that is sought. */
  readonly onwards?: Way;
}

/** A way at whose beginning stands a tag that the subject may or may not pull. */
export type FinalWay = Way<FinalRuling>;

/** A signature of an attestation of a component: nobody signs deeper. */
const deepest = 3;
const mostFollowed = 16;

/** The tags as ways to the digest, in their order. */
export function* waysFrom(
  rules: RuleBook,
  place: Place,
  {
    tags,
    digest,
    onwards,
  }: { readonly tags: readonly Tag[]; readonly digest: Digest; readonly onwards?: Way },
): Generator<Way> {
  for (const tag of tags) {
    const way = { ruling: rules.ofTag(place, tag), tag, digest };
    yield onwards === undefined ? way : { ...way, onwards };
  }
}

/** Those of the ways that are decided where they begin. */
export function* finalWays(ways: Iterable<Way>): Generator<FinalWay> {
  for (const way of ways) if (isFinal(way)) yield way;
}

/**
 * The ways that begin beyond tags which name a digest: those towards that one. Each digest is looked at once, so circles
 * end; a few levels and digests at most. Rejects as `tagsOf` does.
 */
export async function followedWays(
  rules: RuleBook,
  place: Place,
  {
    direct,
    tagsOf,
  }: { readonly direct: readonly Way[]; readonly tagsOf: (digest: Digest) => Answer<readonly Tag[]> },
): Promise<readonly FinalWay[]> {
  const found: FinalWay[] = [];
  const seen = new Set(direct.map(({ digest }) => digest));
  let level = direct;
  for (let depth = 0; depth < deepest; depth += 1) {
    const next: Way[] = [];
    for (const onwards of level) {
      const { ruling } = onwards;
      if (ruling.kind !== 'follow' || seen.has(ruling.digest) || seen.size > mostFollowed) continue;
      seen.add(ruling.digest);
      const tags = await tagsOf(ruling.digest);
      next.push(...waysFrom(rules, place, { tags, digest: ruling.digest, onwards }));
    }
    found.push(...finalWays(next));
    level = next;
  }
  return found;
}

/** Whether each tag of the way leads where it must. Throws as `leadsTo` does. */
export function isWhole(reach: Reach, place: Place, way: Way): Answer<boolean> {
  return answered(
    firstPassing(partsOf(way), ({ tag, digest }) =>
      answered(reach.leadsTo(place, tag, digest), (leads) => !leads),
    ),
    (broken) => broken === undefined,
  );
}

function isFinal(way: Way): way is FinalWay {
  return way.ruling.kind !== 'follow';
}

function* partsOf(way: Way): Generator<Way> {
  for (let part: Way | undefined = way; part !== undefined; part = part.onwards) yield part;
}
