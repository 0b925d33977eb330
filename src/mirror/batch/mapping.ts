import { tagGlob } from '../../base/text/glob.ts';
import type { Tag } from '../../oci/reference.ts';
import { type PullSpec, parsePullSpec, pullSpecText } from '../references/pull-spec.ts';

/** One image, or several by a glob, and where it is to go. */
export interface Mapping {
  readonly source: PullSpec;
  /** Without a tag: pushed under its digest alone. */
  readonly destination: PullSpec;
  /** `file NAME, line N`; undefined for the command line. */
  readonly where: string | undefined;
}

/** Mappings that cannot be meant. */
export class MappingError extends Error {
  override readonly name = 'MappingError';
  /** What is wrong with each, and where it stands. */
  readonly faults: readonly string[];
  /** Why there is nothing to copy: it makes no sense, or the source has no such tag. */
  readonly kind: 'invalid' | 'source-gone';

  constructor(faults: readonly string[], kind: MappingError['kind'] = 'invalid') {
    super(faults.join('\n'));
    this.faults = faults;
    this.kind = kind;
  }
}

/** Every tag of the repository that a spec names. */
type ListTags = (source: PullSpec) => Promise<readonly Tag[]>;

/** What a file of mappings holds. */
export interface MappingFile {
  readonly mappings: readonly Mapping[];
  /** Of each line that means nothing: what is wrong, and where. */
  readonly faults: readonly string[];
}

/** A mapping whose images could not be found out, and why. */
export interface Unplanned {
  readonly mapping: Mapping;
  readonly error: unknown;
}

interface Expansion {
  readonly mappings: readonly Mapping[];
  readonly unplanned: readonly Unplanned[];
}

/**
 * The mappings of a file: one or more `SRC=DST`, or `SRC DST [DST…]`, per line, separated by single
 * spaces; `#` begins a comment. An invalid line does not affect the others.
 */
export function parseMappingFile(file: string, text: string): MappingFile {
  const faults: string[] = [];
  const mappings = text.split(/\r?\n/).flatMap((line, index) => {
    const [words = ''] = line.split('#', 1).map((part) => part.trim());
    try {
      return words === '' ? [] : parseMappings(words.split(' '), `file ${file}, line ${index + 1}`);
    } catch (error) {
      if (!(error instanceof MappingError)) throw error;
      faults.push(...error.faults);
      return [];
    }
  });
  return { mappings, faults };
}

/** The mappings of one line, or of a command line; none for no words. Throws `MappingError`. */
export function parseMappings(words: readonly string[], where?: string): readonly Mapping[] {
  const given = words.filter((word) => word !== '');
  const pairs = given.filter((word) => word.includes('='));
  const [source, ...destinations] = given.filter((word) => !word.includes('='));
  if (source === undefined) return pairs.map((pair) => fromPair(pair, where));
  if (pairs.length > 0) throw wrong(where, pairsOnly);
  if (destinations.length === 0) {
    throw wrong(where, `${pairsOnly}, or you must specify one SRC argument and one or more DST arguments`);
  }
  return destinations.map((destination) => fromTwo(source, destination, where));
}

/**
 * The mappings with every glob, and every source without tag and digest, replaced by the tags that
 * there are; a destination without a tag takes the source's. What `listTags` rejects with, a glob
 * that fits no tag (`MappingError`), and a destination that an earlier mapping has (`MappingError`)
 * leave that mapping unplanned, and the others as they are.
 */
export async function expanded(mappings: readonly Mapping[], listTags: ListTags): Promise<Expansion> {
  const outcomes = await Promise.allSettled(mappings.map((mapping) => expandedOne(mapping, listTags)));
  const unplanned: Unplanned[] = [];
  const isFirst = distinctDestinations(unplanned);
  const found = mappings.flatMap((mapping, index) => {
    const outcome = outcomes[index];
    if (outcome?.status === 'fulfilled') return outcome.value.filter(isFirst);
    unplanned.push({ mapping, error: outcome?.reason });
    return [];
  });
  return { mappings: found, unplanned };
}

const pairsOnly = 'all arguments must be valid SRC=DST mappings';

function fromPair(pair: string, where: string | undefined): Mapping {
  const [source = '', ...rest] = pair.split('=');
  return fromTwo(source, rest.join('='), where);
}

function fromTwo(from: string, to: string, where: string | undefined): Mapping {
  if (from === '' || to === '') throw wrong(where, pairsOnly);
  const source = parsed(from, where);
  const destination = parsed(to, where);
  if (destination.digest !== undefined)
    throw wrong(where, 'you must specify a tag for DST or leave it blank to only push by digest');
  if (destination.glob !== undefined) throw wrong(where, `source expansion is only possible in SRC: ${to}`);
  if (isMany(source) && destination.tag !== undefined) {
    throw wrong(where, 'when source contains wildcards, the destination must be a repository');
  }
  return { source, destination: withTagOf(source, destination), where };
}

async function expandedOne(mapping: Mapping, listTags: ListTags): Promise<readonly Mapping[]> {
  const { source, destination, where } = mapping;
  if (!isMany(source)) return [mapping];
  const { glob = '*', ...place } = source;
  const wanted = tagGlob(glob);
  const tags = [...new Set(await listTags(source))].filter((tag) => wanted.test(tag));
  if (tags.length === 0) throw wrong(where, `no tag fits ${pullSpecText(source)}`, 'source-gone');
  return tags.map((tag) => ({
    source: { ...place, tag },
    destination: withTagOf({ ...place, tag }, destination),
    where,
  }));
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

function isMany({ tag, digest, glob }: PullSpec): boolean {
  return glob !== undefined || (tag === undefined && digest === undefined);
}

function withTagOf({ tag }: PullSpec, destination: PullSpec): PullSpec {
  return destination.tag !== undefined || tag === undefined ? destination : { ...destination, tag };
}

function parsed(text: string, where: string | undefined): PullSpec {
  try {
    return parsePullSpec(text);
  } catch (error) {
    throw wrong(where, error instanceof Error ? error.message : String(error));
  }
}

function wrong(where: string | undefined, message: string, kind?: MappingError['kind']): MappingError {
  return new MappingError([where === undefined ? message : `${where}: ${message}`], kind);
}
