// Room `auth/rules`: access rules as data, decided per tag and per digest. In: a subject, a
// repository and a reference. Out: allowed or not, with the rule that decided. Imports: auth, base,
// image-streams, oci; types of auth/clusters.

import { firstFound } from '../../base/flow/each.ts';
import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { StreamIndex } from '../../image-streams/stream-index.ts';
import type {
  Authorizer,
  ContentProofs,
  ContentTags,
  Decision,
  Place,
  SearchEvents,
  Subject,
} from '../access.ts';
import type { Judge } from '../clusters/cluster.ts';
import { createDigestAuthorizer } from './by-digest.ts';
import { decided } from './decision.ts';
import { type RuleBook, type Ruling, rulingKey } from './rules.ts';

interface RuledAccessOptions {
  readonly rules: RuleBook;
  /** The clusters: each subject is asked about at its own. */
  readonly judge: Judge;
  /**
   * The clusters whose subjects have rights here. A removed cluster gives none, though our tokens
   * for its subjects may still be valid. Default: any.
   */
  readonly clusters?: readonly string[];
  /** What leads where: for all that is pulled by digest. */
  readonly reach: ContentTags;
  /** The image streams of a cluster, where it is configured to be followed. Default: of none. */
  readonly streams?: (cluster: string) => StreamIndex | undefined;
  /** What proves that a stream holds what it names; only a trusted namespace does without. */
  readonly proofs?: ContentProofs;
  /** A list of tags of which a subject may pull some: shows those (`filter`, default), or none. */
  readonly listings?: 'filter' | 'refuse';
  readonly events?: Partial<SearchEvents> | undefined;
}

const askedAtOnce = 16;
const stranger: Decision = Object.freeze({
  allowed: false,
  reason: "the subject's cluster may not log in to this host",
});

/**
 * Rights by rules, for subjects of a cluster; a plain value where all answers are remembered. Only
 * subjects with a right learn that a digest exists: for others it is unknown.
 */
export function createAuthorizer(options: RuledAccessOptions): Authorizer {
  const { rules, judge, clusters, listings = 'filter' } = options;
  const ofDigest = createDigestAuthorizer(options);

  /** The right to a tag that contains a digest is the right to that digest. */
  function ruled(subject: Subject, place: Place, ruling: Ruling, isBrief = false): MaybePromise<Decision> {
    if (ruling.kind !== 'follow') return decided(judge, subject, ruling);
    const { rule, digest } = ruling;
    return andThen(ofDigest({ subject, place, digest, isBrief }), (decision) => ({ ...decision, rule }));
  }

  function ofListing(subject: Subject, place: Place): MaybePromise<Decision> {
    if (!rules.dependsOnTag(place)) return decided(judge, subject, rules.ofRepository(place));
    if (listings === 'filter') return { allowed: true, isPartial: true };
    const reason = 'tags of this repository are not listed here: pull by name';
    return { allowed: false, isPartial: true, reason };
  }

  const isOurs = ({ cluster }: Subject): boolean =>
    cluster !== undefined && (clusters === undefined || clusters.includes(cluster));

  return {
    authorize(subject, { upstream, repository, reference }) {
      if (!isOurs(subject)) return stranger;
      const place = { upstream, repository };
      if (reference === undefined) return ofListing(subject, place);
      return reference.digest === undefined
        ? ruled(subject, place, rules.ofTag(place, reference.tag))
        : ofDigest({ subject, place, ...reference });
    },
    async visible(subject, place, tags) {
      if (!isOurs(subject)) return [];
      const rulings = tags.map((tag) => rules.ofTag(place, tag));
      const different = new Map(rulings.map((ruling) => [rulingKey(ruling), ruling]));
      const pulled = new Set<string>();
      await firstFound(different, {
        atOnce: askedAtOnce,
        async find([key, ruling]) {
          if ((await ruled(subject, place, ruling, true)).allowed) pulled.add(key);
          return undefined;
        },
      });
      return tags.filter((tag) => pulled.has(rulingKey(rules.ofTag(place, tag))));
    },
  };
}
