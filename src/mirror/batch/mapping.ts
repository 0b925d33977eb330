import { type PullSpec, parsePullSpec } from '../references/pull-spec.ts';

/** One image, or several by a glob, and where it is to go. */
export interface Mapping {
  readonly source: PullSpec;
  /** Without a tag: pushed under its digest alone. With the glob `*`: see `prefixOf`. */
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

/** What a file of mappings holds. */
export interface MappingFile {
  readonly mappings: readonly Mapping[];
  /** Of each line that means nothing: what is wrong, and where. */
  readonly faults: readonly string[];
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
 * The prefix that a destination `DST:*` takes off the tags of its source: that of `SRC:PREFIX*`;
 * undefined for another source.
 */
export function prefixOf({ glob }: PullSpec): string | undefined {
  return glob?.indexOf('*') === glob?.lastIndexOf('*') && glob?.endsWith('*') ? glob.slice(0, -1) : undefined;
}

function starRule(destination: string): string {
  return `${destination}: source expansion is only possible in SRC; DST:* is for SRC:PREFIX*, and strips PREFIX`;
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
  if (destination.glob !== undefined) {
    if (destination.glob !== '*' || prefixOf(source) === undefined) throw wrong(where, starRule(to));
    return { source, destination, where };
  }
  if (isMany(source) && destination.tag !== undefined) {
    throw wrong(where, 'when source contains wildcards, the destination must be a repository');
  }
  return { source, destination: withTagOf(source, destination), where };
}

/** Whether the spec names several images: by a glob, or as a whole repository. */
export function isMany({ tag, digest, glob }: PullSpec): boolean {
  return glob !== undefined || (tag === undefined && digest === undefined);
}

/** The destination, with the source's tag where it has none. */
export function withTagOf({ tag }: PullSpec, destination: PullSpec): PullSpec {
  return destination.tag !== undefined || tag === undefined ? destination : { ...destination, tag };
}

function parsed(text: string, where: string | undefined): PullSpec {
  try {
    return parsePullSpec(text);
  } catch (error) {
    throw wrong(where, error instanceof Error ? error.message : String(error));
  }
}

/** What is wrong with a mapping, and where it stands. */
export function wrong(where: string | undefined, message: string, kind?: MappingError['kind']): MappingError {
  return new MappingError([where === undefined ? message : `${where}: ${message}`], kind);
}
