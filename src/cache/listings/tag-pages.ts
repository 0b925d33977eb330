import type { LRUCache } from 'lru-cache';
import { defined } from '../../base/text/defined.ts';
import { joinedNames, packedNames, unpacked } from '../../base/text/packed-names.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import {
  type AskedPage,
  type AskedPagesOptions,
  askedPages,
  type RememberedPage,
  type ServedPage,
} from './asked-pages.ts';
import { createTagList, type TagList, type TagRange } from './tag-list.ts';

/** Tags as they are answered: the JSON array of them. */
interface ServedTags {
  readonly json: Uint8Array;
  readonly nextQuery?: string;
  readonly warnings: readonly string[];
}

/** Tags as the upstream listed them. */
export interface HeldTags {
  readonly list: TagList;
  readonly nextQuery?: string;
  readonly warnings: readonly string[];
}

interface TagPagesOptions extends Pick<AskedPagesOptions, 'policy' | 'now'> {
  readonly upstream: Pick<RegistryReader, 'name' | 'tags'>;
  readonly memory: LRUCache<string, RememberedPage<HeldTags>>;
}

/** Answers a page of tags. Throws `NAME_UNKNOWN` when there is no such repository. */
export type TagPages = (repository: Repository, query: string) => Promise<ServedPage<ServedTags>>;

/** Pages that are put together to a whole list, at most. */
const mostJoined = 2_000;

/**
 * Pages of tags. A list that is held as a whole, in one page or in all that lead from the first to
 * the last, answers every question of `n` and `last`: at once while it is fresh, and with a warning
 * when the upstream cannot be asked. It was parsed once.
 */
export function createTagPages({ upstream, memory, policy, now }: TagPagesOptions): TagPages {
  const answered = askedPages<ServedTags>({ name: upstream.name, policy, now });
  const placeOf = (repository: Repository): string => `${upstream.name}/${repository} tags`;
  const pageKey = (place: string, query: string): string => `${place}?${query}`;
  const firstKey = (place: string): string => `${place} first`;
  const wholeKey = (place: string): string => `${place} whole`;

  function held(place: string, query: string, range: TagRange | undefined) {
    const page = memory.get(pageKey(place, query));
    const whole = memory.get(wholeKey(place));
    if (range === undefined || whole === undefined || (page !== undefined && page.askedAt > whole.askedAt))
      return page && { ...page, page: served(page.page) };
    return cut(whole, range);
  }

  /** The whole list from pages, as old as the oldest of them. */
  function joined(place: string, range: TagRange | undefined) {
    const pages: RememberedPage<HeldTags>[] = [];
    let next = range && memory.get(firstKey(place));
    while (next !== undefined && pages.length < mostJoined) {
      pages.push(next);
      const { nextQuery } = next.page;
      if (nextQuery === undefined) return range && cut(kept(place, joinedPages(pages)), range);
      next = memory.get(pageKey(place, `${new URLSearchParams(nextQuery)}`));
    }
    return undefined;
  }

  function kept(place: string, whole: RememberedPage<HeldTags>): RememberedPage<HeldTags> {
    memory.set(wholeKey(place), whole);
    return whole;
  }

  async function ask(
    repository: Repository,
    query: string,
    range?: TagRange,
  ): Promise<AskedPage<ServedTags>> {
    const place = placeOf(repository);
    const answer = await upstream.tags(repository, query);
    const message = 'the upstream has no such repository';
    if (answer === undefined) throw new RegistryError('NAME_UNKNOWN', message, { detail: { repository } });
    const { nextQuery, warnings, ageMs = 0 } = answer;
    const list = createTagList(answer.packed ?? packedNames(answer.tags));
    const page = { page: { list, warnings, ...defined({ nextQuery }) }, askedAt: now() - ageMs };
    if (range !== undefined && isWhole(page.page, range)) return { ...cut(kept(place, page), range), ageMs };
    memory.set(pageKey(place, query), page);
    if (range !== undefined && range.last === undefined) memory.set(firstKey(place), page);
    return { ...page, page: served(page.page), ageMs };
  }

  return (repository, query) => {
    const place = placeOf(repository);
    const range = rangeOf(query);
    return answered({
      key: pageKey(place, query),
      held: () => held(place, query, range),
      found: () => joined(place, range),
      ask: () => ask(repository, query, range),
    });
  };
}

/** What is asked for in the spec's words alone; undefined where the query says more. */
function rangeOf(query: string): TagRange | undefined {
  const parameters = new URLSearchParams(query);
  const { n, last, ...others } = Object.fromEntries(parameters);
  const isPlain = parameters.size === new Set(parameters.keys()).size && /^\d{0,9}$/.test(n ?? '');
  if (!isPlain || n === '' || Object.keys(others).length > 0) return undefined;
  return { ...(n === undefined ? {} : { n: Number(n) }), ...(last === undefined ? {} : { last }) };
}

/** Without links, a page of `n` entries may continue; one of another length is the last. */
function isWhole({ list, nextQuery }: HeldTags, { n, last }: TagRange): boolean {
  return nextQuery === undefined && last === undefined && list.length !== n;
}

function cut({ page, askedAt }: RememberedPage<HeldTags>, range: TagRange): RememberedPage<ServedTags> {
  const { json, last } = page.list.page(range);
  const next = last === undefined ? {} : { nextQuery: `${new URLSearchParams({ n: `${range.n}`, last })}` };
  return { page: { json, warnings: page.warnings, ...next }, askedAt };
}

function served({ list, ...page }: HeldTags): ServedTags {
  return { ...page, json: list.json };
}

function joinedPages(pages: readonly RememberedPage<HeldTags>[]): RememberedPage<HeldTags> {
  const lists = pages.map(({ page }) => page.list.names);
  const list = createTagList(joinedNames(lists) ?? packedNames(lists.flatMap(unpacked)));
  const warnings = new Set(pages.flatMap(({ page }) => page.warnings));
  const askedAt = Math.min(...pages.map((page) => page.askedAt));
  return { page: { list, warnings: [...warnings] }, askedAt };
}
