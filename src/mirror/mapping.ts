import type { Tag } from '../oci/reference.ts';
import { isMatching, type PullSpec, parsePullSpec, pullSpecText } from './pull-spec.ts';

/** One image, or several by a glob, and where it is to go. */
export interface Mapping {
  readonly source: PullSpec;
  /** Without a tag: pushed under its digest alone. */
  readonly destination: PullSpec;
  /** `file NAME, line N`; undefined for the command line. */
  readonly where: string | undefined;
}

/** A mapping that cannot be meant. The message says where it stands. */
export class MappingError extends Error {
  override readonly name = 'MappingError';
}

/** Every tag of the repository that a spec names. */
export type ListTags = (source: PullSpec) => Promise<readonly Tag[]>;

/**
 * The mappings of a file: one or more `SRC=DST`, or `SRC DST [DST…]`, on each line, separated by single spaces; `#` begins a comment
 * wherever it stands. The first line that means nothing throws `MappingError`.
 */
export function parseMappingFile(file: string, text: string): readonly Mapping[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    const words = line.replace(/#.*$/, '').trim();
    return words === '' ? [] : parseMappings(words.split(' '), `file ${file}, line ${index + 1}`);
  });
}

/** The mappings of one line, or of a command line; no words are no mappings. Throws `MappingError`. */
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
 * The mappings with every glob, and every source without tag and digest, replaced by the tags that there are; a destination without a
 * tag takes the source's. Throws `MappingError` for two that have one destination, and for what `listTags` throws.
 */
export async function expanded(
  mappings: readonly Mapping[],
  listTags: ListTags,
): Promise<readonly Mapping[]> {
  const found = await Promise.all(mappings.map((mapping) => expandedOne(mapping, listTags)));
  const whole = found.flat();
  checkDestinations(whole);
  return whole;
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
  const tags = (await listTags(source)).filter(isMatching(glob));
  if (tags.length === 0) throw wrong(where, `no tag fits ${pullSpecText(source)}`);
  return tags.map((tag) => ({
    source: { ...place, tag },
    destination: withTagOf({ ...place, tag }, destination),
    where,
  }));
}

/** A tag that two images want would be whichever came last. */
function checkDestinations(mappings: readonly Mapping[]): void {
  const seen = new Set<string>();
  for (const { source, destination, where } of mappings) {
    const text = pullSpecText(destination);
    if (text === pullSpecText(source)) throw wrong(where, 'SRC and DST may not be the same');
    const key = destination.tag === undefined ? `${text} ${pullSpecText(source)}` : text;
    if (seen.has(key)) throw wrong(where, `each destination tag may only be specified once: ${text}`);
    seen.add(key);
  }
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

function wrong(where: string | undefined, message: string): MappingError {
  return new MappingError(where === undefined ? message : `${where}: ${message}`);
}
