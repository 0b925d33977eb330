import { tagGlob } from '../../base/text/glob.ts';
import { isStagingTag } from '../../image-streams/flat-tags.ts';
import { isTag, type Tag } from '../../oci/reference.ts';
import { qci, qciProxy } from '../references/names.ts';
import { type PullSpec, placeText, pullSpecText } from '../references/pull-spec.ts';
import { isMany, type Mapping, MappingError, prefixOf, withTagOf, wrong } from './mapping.ts';

/** Every tag of the repository that a spec names. */
type ListTags = (source: PullSpec) => Promise<readonly Tag[]>;

/** A mapping whose images could not be found out, and why. */
export interface Unplanned {
  readonly mapping: Mapping;
  readonly error: unknown;
}

/** Staging tags and backups that a mapping matches. */
export interface StagingTags {
  readonly mapping: Mapping;
  readonly tags: readonly Tag[];
  /** Of `DST:*`, which leaves them out; else they are copied. */
  readonly areLeftOut: boolean;
}

interface Expansion {
  readonly mappings: readonly Mapping[];
  readonly unplanned: readonly Unplanned[];
  /** Of mappings to `DST:*`, and of those that read QCI. */
  readonly staging: readonly StagingTags[];
}

interface ExpansionOptions {
  /** Also copies staging tags and backups to `DST:*`. Default false. */
  readonly stagingTags?: boolean;
}

/**
 * The mappings with every glob, and every source without tag and digest, replaced by the tags that
 * there are; a destination without a tag takes the source's, `DST:*` takes it without the prefix.
 * What `listTags` rejects with, a glob that fits no tag (`MappingError`), a tag of which the prefix
 * leaves none, and a destination that an earlier mapping has leave that mapping, or that tag of it,
 * unplanned, and the others as they are.
 */
export async function expanded(
  mappings: readonly Mapping[],
  listTags: ListTags,
  options: ExpansionOptions = {},
): Promise<Expansion> {
  const staging: StagingTags[] = [];
  const unplanned: Unplanned[] = [];
  const told = { staging, unplanned };
  const outcomes = await Promise.allSettled(
    mappings.map((mapping) => expandedOne(mapping, listTags, options, told)),
  );
  const isFirst = distinctDestinations(unplanned);
  const found = mappings.flatMap((mapping, index) => {
    const outcome = outcomes[index];
    if (outcome?.status === 'fulfilled') return outcome.value.filter(isFirst);
    unplanned.push({ mapping, error: outcome?.reason });
    return [];
  });
  return { mappings: found, unplanned, staging };
}

async function expandedOne(
  mapping: Mapping,
  listTags: ListTags,
  { stagingTags = false }: ExpansionOptions,
  told: { readonly staging: StagingTags[]; readonly unplanned: Unplanned[] },
): Promise<readonly Mapping[]> {
  const { source, destination, where } = mapping;
  if (!isMany(source)) return [mapping];
  const { glob = '*' } = source;
  const wanted = tagGlob(glob);
  const tags = [...new Set(await listTags(source))].filter((tag) => wanted.test(tag));
  const isStripped = destination.glob !== undefined;
  const areLeftOut = isStripped && !stagingTags;
  const found = areLeftOut || (isQci(source) && !isStripped) ? tags.filter(isStagingTag) : [];
  const kept = areLeftOut ? tags.filter((tag) => !isStagingTag(tag)) : tags;
  if (kept.length === 0) throw wrong(where, noTag(source, found.length), 'source-gone');
  if (found.length > 0) told.staging.push({ mapping, tags: found, areLeftOut });
  return kept.flatMap((tag) => {
    const one = ofTag(mapping, tag);
    if (!(one instanceof MappingError)) return [one];
    told.unplanned.push({ mapping, error: one });
    return [];
  });
}

function noTag(source: PullSpec, leftOut: number): string {
  if (leftOut === 0) return `no tag fits ${pullSpecText(source)}`;
  return `${pullSpecText(source)} fits ${leftOut} staging and backup tags and no other: --staging-tags copies them`;
}

/** The mapping of one tag that the source's glob matches, or what is wrong with it. */
function ofTag({ source, destination, where }: Mapping, tag: Tag): Mapping | MappingError {
  const { glob, ...place } = source;
  const { glob: star, ...target } = destination;
  const tagged = { ...place, tag };
  if (star === undefined) return { source: tagged, destination: withTagOf(tagged, destination), where };
  const prefix = prefixOf(source) ?? '';
  const rest = tag.slice(prefix.length);
  if (!isTag(rest)) return wrong(where, `${pullSpecText(tagged)} without ${prefix} is not a tag: "${rest}"`);
  return { source: tagged, destination: { ...target, tag: rest }, where };
}

function isQci(source: PullSpec): boolean {
  const place = placeText(source);
  return place === qci || place === qciProxy;
}

/** A tag that two images want would be whichever came last. */
function distinctDestinations(unplanned: Unplanned[]): (mapping: Mapping) => boolean {
  const seen = new Set<string>();
  return (mapping) => {
    const { source, destination, where } = mapping;
    const text = pullSpecText(destination);
    const key = destination.tag === undefined ? `${text} ${pullSpecText(source)}` : text;
    const fault =
      text === pullSpecText(source)
        ? 'SRC and DST may not be the same'
        : seen.has(key) && `each destination tag may only be specified once: ${text}`;
    seen.add(key);
    if (fault !== false) unplanned.push({ mapping, error: wrong(where, fault) });
    return fault === false;
  };
}
