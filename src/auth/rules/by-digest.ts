import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { Tag } from '../../oci/reference.ts';
import type { Decision, Place, Subject } from '../access.ts';
import { advice, decided, recalled } from './decision.ts';
import type { RuleBook } from './rules.ts';
import { createTagPathSearch, type TagPathSearch, type TagPathSearchParts } from './tag-path-search.ts';
import { finalTagPaths, followedTagPaths, type TagPath, tagPathsFrom } from './tag-paths.ts';

interface ByDigestParts extends TagPathSearchParts {
  readonly rules: RuleBook;
}

interface DigestRequest {
  readonly subject: Subject;
  readonly place: Place;
  readonly digest: Digest;
  /** A tag that the client named beside the digest: tried first, and verified like any other. */
  readonly tag?: Tag;
  /** One of many: do not wait for what other replicas learned within seconds. Default false. */
  readonly isBrief?: boolean;
}

/**
 * `{}`, the config of artifacts that have none (image-spec, "Guidance for an Empty Descriptor").
 * Almost every artifact references it, and it is public: always allowed.
 */
const emptyConfig = digestOf(Buffer.from('{}'));
const knownToAll: Decision = Object.freeze({ allowed: true, rule: 'empty config' });

/**
 * Decides on digests: the right to some tag that references the digest is enough, else the right by
 * the rule that does not depend on the tag. First by remembered answers, at once where the tags are
 * in memory; then by asking. Throws `UNAVAILABLE` when no answer allowed it and one was unknown.
 */
export function createDigestAuthorizer(
  parts: ByDigestParts,
): (sought: DigestRequest) => MaybePromise<Decision> {
  const { rules, judge } = parts;
  async function tried(
    sought: DigestRequest,
    search: TagPathSearch,
    tags: readonly Tag[],
  ): Promise<Decision | undefined> {
    const { place, digest } = sought;
    const direct: readonly TagPath[] = [...tagPathsFrom(rules, place, tags, digest)];
    const followed = await followedTagPaths(rules, place, { direct, steps: search });
    const ways = [...finalTagPaths(direct), ...followed];
    return (await search.remembered(ways)) ?? search.asked(ways, rules.ofRepository(place));
  }

  /**
   * What replicas learned meanwhile comes late, as it takes a while: new tags, and what known tags
   * mean by now. Last come tags that no record of the digest names.
   */
  async function searched(
    sought: DigestRequest,
    search: TagPathSearch,
    tags: readonly Tag[],
  ): Promise<Decision> {
    const { subject, place, digest, isBrief = false } = sought;
    const found = await tried(sought, search, tags);
    if (found !== undefined) return found;
    const decision = await decided(judge, subject, rules.ofRepository(place));
    if (decision.allowed) return decision;
    for (const look of isBrief ? [] : [search.tagsAfresh, search.tagsUnrecorded]) {
      const others = await look(digest);
      const late = others.length === 0 ? undefined : await tried(sought, search, others);
      if (late !== undefined) return late;
    }
    search.assertTold();
    return { ...decision, ...withAdvice(sought) };
  }

  /** Names no tag but the client's own: others would tell that the digest exists, and where. */
  function withAdvice({ subject, place, tag }: DigestRequest): Pick<Decision, 'reason'> {
    const named = tag === undefined ? rules.ofRepository(place) : rules.ofTag(place, tag);
    if (named.kind !== 'ask') return {};
    return { reason: `no tag that you may pull references this digest; ${advice(named, subject)}` };
  }

  return (sought) => {
    const { subject, place, digest, tag } = sought;
    const last = rules.ofRepository(place);
    const known = recalled(judge, subject, last);
    if (known?.allowed === true) return known;
    if (!rules.dependsOnTag(place)) return known ?? decided(judge, subject, last);
    if (digest === emptyConfig) return knownToAll;
    const search = createTagPathSearch(parts, subject, place);
    return andThen(search.tagsTowards(digest), (others) => {
      const tags = tag === undefined ? others : [tag, ...others];
      const found = search.remembered(finalTagPaths(tagPathsFrom(rules, place, tags, digest)));
      return andThen(found, (decision) => decision ?? searched(sought, search, tags));
    });
  };
}
