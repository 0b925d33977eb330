import { RegistryError } from '../oci/errors.ts';
import type { Repository, Tag } from '../oci/reference.ts';
import type { RegistryReader } from '../oci/registry-reader.ts';
import { timeDigits } from './tag-rules.ts';

/** Names between two others, which are outside. */
export interface NameRange {
  readonly after: string;
  readonly until: string;
}

/** The tags of a range in a page, and what is left of the range behind it. */
interface RangePage {
  readonly tags: readonly Tag[];
  /** Undefined at the end of the range. */
  readonly rest: NameRange | undefined;
}

interface ListedPlace {
  readonly reader: RegistryReader;
  readonly repository: Repository;
}

/** The page size that is asked for; quay gives 100. */
const tagsPerPage = 1_000;

/**
 * One page of a range; undefined where the registry does not list in the order of characters from
 * `last` on, so that ranges mean nothing. Throws `RegistryError`; `NAME_UNKNOWN` for no repository.
 */
export async function rangePage(
  { reader, repository }: ListedPlace,
  { after, until }: NameRange,
  signal: AbortSignal,
): Promise<RangePage | undefined> {
  const page = await reader.tags(repository, `n=${tagsPerPage}&last=${encodeURIComponent(after)}`, {
    signal,
  });
  if (page === undefined) throw new RegistryError('NAME_UNKNOWN', 'no such repository');
  let last = after;
  for (const tag of page.tags) {
    if (tag <= last) return undefined;
    last = tag;
  }
  const isEnd = page.nextQuery === undefined || last >= until;
  if (!isEnd && last === after)
    throw new RegistryError('UPSTREAM_INVALID', 'the upstream lists an empty page and links to a next one');
  return {
    tags: page.tags.filter((tag) => tag < until),
    rest: isEnd ? undefined : { after: last, until },
  };
}

/** Every tag that begins so. Undefined as for `rangePage`. */
export async function prefixedTags(
  place: ListedPlace,
  prefix: string,
  signal: AbortSignal,
): Promise<readonly Tag[] | undefined> {
  const found: Tag[] = [];
  let range: NameRange | undefined = { after: prefix.slice(0, -1), until: `${prefix}~` };
  while (range !== undefined) {
    const page: RangePage | undefined = await rangePage(place, range, signal);
    if (page === undefined) return undefined;
    found.push(...page.tags.filter((tag) => tag.startsWith(prefix)));
    range = page.rest;
  }
  return found;
}

/** A range of names that begin with a time, in so many parts of the same length. */
export function splitByTime({ after, until }: NameRange, parts: number): readonly NameRange[] {
  const [start, end] = [timeOf(after), timeOf(until)];
  if (Number.isNaN(start) || Number.isNaN(end) || end - start < parts * 60_000) return [{ after, until }];
  const inner = Array.from({ length: parts - 1 }, (_, index) =>
    timeDigits(start + ((end - start) * (index + 1)) / parts),
  ).filter((edge) => edge > after && edge < until);
  const edges = [after, ...inner, until];
  return edges.slice(1).map((edge, index) => ({ after: edges[index] ?? after, until: edge }));
}

function timeOf(text: string): number {
  const [year, month, day, hour, minute, second] = [0, 4, 6, 8, 10, 12].map((start, index) =>
    text.slice(start, start + (index === 0 ? 4 : 2)),
  );
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
