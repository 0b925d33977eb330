import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { StreamIndex } from '../../image-streams/stream-index.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import type { Decision, Place, Subject } from '../access.ts';
import { advice, decided, recalled } from './decision.ts';
import type { RuleBook } from './rules.ts';
import { createPaths } from './stream-paths.ts';
import { TagPathSearch, type TagPathSearchParts } from './tag-path-search.ts';
import { finalTagPaths, followedTagPaths, type Paths, type TagPath } from './tag-paths.ts';

interface ByDigestParts extends TagPathSearchParts {
  readonly rules: RuleBook;
  /** What the image streams of a cluster say of content, for its own subjects. Default: nothing. */
  readonly streams?: (cluster: string) => StreamIndex | undefined;
}

interface DigestRequest {
  readonly subject: Subject;
  readonly place: Place;
  readonly digest: Digest;
  /** A tag that the client named beside the digest: tried first, and verified like any other. */
  readonly tag?: Tag;
  /**
   * One of many: do not wait for what other replicas learned within seconds, nor ask the upstream
   * about hints. Default false.
   */
  readonly isBrief?: boolean;
}

/** A request with what its search needs. */
interface Sought extends DigestRequest {
  readonly search: TagPathSearch;
  readonly paths: Paths;
  readonly index: StreamIndex | undefined;
}

/**
 * `{}`, the config of artifacts that have none (image-spec, "Guidance for an Empty Descriptor").
 * Almost every artifact references it, and it is public: always allowed.
 */
const emptyConfig = digestOf(Buffer.from('{}'));
const knownToAll: Decision = Object.freeze({ allowed: true, rule: 'empty config' });

/**
 * Decides on digests: the right to some tag that references the digest, or to an image stream that
 * is proven to hold it, is enough, else the right by the rule that does not depend on the tag.
 * First by remembered answers, at once where all is in memory; then by asking. Throws `UNAVAILABLE`
 * when no answer allowed it and one was unknown.
 */
export function createDigestAuthorizer(
  parts: ByDigestParts,
): (sought: DigestRequest) => MaybePromise<Decision> {
  const { rules, judge, streams } = parts;
  async function tried(sought: Sought, tags: readonly Tag[]): Promise<Decision | undefined> {
    const { place, digest, search, paths } = sought;
    const direct: readonly TagPath[] = [...paths(tags, digest)];
    const followed = await followedTagPaths(paths, { direct, steps: search });
    const ways = [...finalTagPaths(direct), ...followed];
    return (await search.remembered(ways)) ?? search.asked(ways, rules.ofRepository(place));
  }

  /**
   * What replicas learned meanwhile, and changes of image streams that are under way, come late, as
   * they take a while: new tags, and what known tags mean by now. Last come tags that no record of
   * the digest names.
   */
  async function searched(sought: Sought, tags: readonly Tag[]): Promise<Decision> {
    const { subject, place, isBrief = false } = sought;
    const found = await tried(sought, tags);
    if (found !== undefined) return found;
    const decision = await decided(judge, subject, rules.ofRepository(place));
    if (decision.allowed || isBrief) return told(sought, decision);
    const late = (await triedAfresh(sought)) ?? (await triedUnrecorded(sought));
    if (late !== undefined) return late;
    return told(sought, decision);
  }

  async function triedAfresh(sought: Sought): Promise<Decision | undefined> {
    const { place, digest, search, index } = sought;
    const [tags, look] = await Promise.all([search.tagsAfresh(digest), index?.look(place, digest)]);
    if (look?.untold !== undefined) search.cannotTell(untoldBy(look.untold));
    return tags.length === 0 && (look?.named ?? []).length === 0 ? undefined : tried(sought, tags);
  }

  async function triedUnrecorded(sought: Sought): Promise<Decision | undefined> {
    const tags = await sought.search.tagsUnrecorded(sought.digest);
    return tags.length === 0 ? undefined : tried(sought, tags);
  }

  function told(sought: Sought, decision: Decision): Decision {
    if (decision.allowed) return decision;
    sought.search.assertTold();
    return { ...decision, ...withAdvice(sought) };
  }

  /** Names no tag but the client's own: others would tell that the digest exists, and where. */
  function withAdvice({ subject, place, tag }: DigestRequest): Pick<Decision, 'reason'> {
    const named = tag === undefined ? rules.ofRepository(place) : rules.ofTag(place, tag);
    if (named.kind !== 'ask') return {};
    return { reason: `no tag that you may pull references this digest; ${advice(named, subject)}` };
  }

  return (request) => {
    const { subject, place, digest, tag } = request;
    const last = rules.ofRepository(place);
    const known = recalled(judge, subject, last);
    if (known?.allowed === true) return known;
    if (!rules.dependsOnTag(place)) return known ?? decided(judge, subject, last);
    if (digest === emptyConfig) return knownToAll;
    const index = rules.countsStreams(place) ? streams?.(subject.cluster ?? '') : undefined;
    const paths = createPaths(rules, place, index);
    const search = new TagPathSearch(parts, request);
    const sought: Sought = { ...request, search, paths, index };
    return andThen(search.tagsTowards(digest), (others) => {
      const tags = tag === undefined ? others : [tag, ...others];
      const found = search.remembered(finalTagPaths(paths(tags, digest)));
      return andThen(found, (decision) => decision ?? searched(sought, tags));
    });
  };
}

function untoldBy(why: string): RegistryError {
  const message = `${why}, and one of them may name this digest`;
  return new RegistryError('UNAVAILABLE', message, { retryAfterSeconds: 5 });
}
