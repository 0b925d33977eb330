import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Answer, Place } from './access.ts';
import type { FinalRuling, RuleBook, Ruling } from './rules.ts';

/** A tag that may lead to a digest, and what the rules say of the tag. */
export interface Way<R extends Ruling = Ruling> {
  readonly ruling: R;
  readonly tag: Tag;
  readonly digest: Digest;
}

/** A way whose tag the subject may or may not pull, by a question and not by yet another digest. */
export type FinalWay = Way<FinalRuling>;

/** What `followedWays` asks of the content's graph. */
export interface Steps {
  /** Tags that may lead to the digest. */
  tagsTowards(digest: Digest): Answer<readonly Tag[]>;
  /** Whether the way's tag does lead to its digest. */
  leads(way: Way): Answer<boolean>;
}

/** A signature of an attestation of a component: nobody signs deeper. */
const deepest = 3;
const mostFollowed = 16;

/** The tags as ways to the digest, in their order. */
export function* waysFrom(
  rules: RuleBook,
  place: Place,
  tags: readonly Tag[],
  digest: Digest,
): Generator<Way> {
  for (const tag of tags) yield { ruling: rules.ofTag(place, tag), tag, digest };
}

/** Those of the ways that need no other digest. */
export function* finalWays(ways: Iterable<Way>): Generator<FinalWay> {
  for (const way of ways) if (isFinal(way)) yield way;
}

/**
 * The ways to those digests that tags on the given ways name: who may pull by one of these may pull what the given ways lead to. Only
 * a tag that does lead where it must is followed, each digest once, so that circles end; a few levels and digests at most.
 * Rejects as the steps do.
 */
export async function followedWays(
  rules: RuleBook,
  place: Place,
  { direct, steps }: { readonly direct: readonly Way[]; readonly steps: Steps },
): Promise<readonly FinalWay[]> {
  const found: FinalWay[] = [];
  const seen = new Set(direct.map(({ digest }) => digest));
  let level = direct;
  for (let depth = 0; depth < deepest; depth += 1) {
    const next: Way[] = [];
    for (const way of level) {
      const { ruling } = way;
      if (ruling.kind !== 'follow' || seen.has(ruling.digest) || seen.size > mostFollowed) continue;
      if (!(await steps.leads(way))) continue;
      seen.add(ruling.digest);
      const tags = await steps.tagsTowards(ruling.digest);
      next.push(...waysFrom(rules, place, tags, ruling.digest));
    }
    found.push(...finalWays(next));
    level = next;
  }
  return found;
}

function isFinal(way: Way): way is FinalWay {
  return way.ruling.kind !== 'follow';
}
