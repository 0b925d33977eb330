import type { CursorOwner, Cursors } from '../../auth/guards/cursors.ts';
import { listOf } from '../../base/text/json.ts';
import type { Listings } from '../../cache/listings/listings.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isTag, type Repository, type Tag } from '../../oci/reference.ts';

/** The tags that the subject may see, in their order. */
export type Visible = (repository: Repository, tags: readonly Tag[]) => Promise<readonly Tag[]>;

interface PartialListOptions {
  readonly visible: Visible;
  /** Whether the subject may pull that tag, shown or not: then the list may continue there. */
  readonly mayPull: (repository: Repository, tag: Tag) => Promise<boolean>;
  readonly cursors: Cursors;
  /** Whose cursors they are, but for the repository. */
  readonly owner: Omit<CursorOwner, 'repository'>;
}

/** A page whose every tag may cost a question is no longer than this. */
const longestPage = 1000;
const cursorParameter = 'cursor';

/**
 * Lists of tags for a subject that may see a part of them. A page may hold fewer tags than
 * requested, or none, and still link to the next (distribution-spec, "Listing Tags": fewer than `n`
 * is no end). The link reveals nothing beyond the page, and `last` is a tag that the subject may
 * pull: else the length of the pages would reveal hidden names, letter by letter. Throws
 * `PAGINATION_NUMBER_INVALID` for another, and for a cursor that is not ours.
 */
export function inPart(
  { tags }: Pick<Listings, 'tags'>,
  { visible, mayPull, cursors, owner }: PartialListOptions,
): Listings['tags'] {
  async function upstreamQuery(repository: Repository, query: string): Promise<string> {
    const parameters = new URLSearchParams(query);
    const cursor = parameters.get(cursorParameter);
    const opened =
      cursor === null
        ? await own(repository, parameters)
        : await cursors.opened(cursor, { ...owner, repository });
    if (opened !== undefined) return bounded(opened);
    const message = 'the cursor "last" is not valid here: list from the start';
    throw new RegistryError('PAGINATION_NUMBER_INVALID', message);
  }

  /** What a client may say of a page by itself; undefined where it must not. */
  async function own(repository: Repository, parameters: URLSearchParams): Promise<string | undefined> {
    const [n, last] = [parameters.get('n'), parameters.get('last') || null];
    if (last !== null && !(isTag(last) && (await mayPull(repository, last)))) return undefined;
    return new URLSearchParams({
      ...(n === null ? {} : { n }),
      ...(last === null ? {} : { last }),
    }).toString();
  }

  return async (repository, query) => {
    const served = await tags(repository, await upstreamQuery(repository, query));
    const { nextQuery, ...page } = served.page;
    const json = Buffer.from(JSON.stringify(await visible(repository, tagsOf(page.json))));
    if (nextQuery === undefined) return { ...served, page: { ...page, json } };
    const cursor = await cursors.sealed(nextQuery, { ...owner, repository });
    return { ...served, page: { ...page, json, nextQuery: `${cursorParameter}=${cursor}` } };
  };
}

function tagsOf(json: Uint8Array): readonly Tag[] {
  return listOf(JSON.parse(Buffer.from(json).toString())).filter(isTag);
}

function bounded(query: string): string {
  const parameters = new URLSearchParams(query);
  const size = Number(parameters.get('n') ?? longestPage);
  parameters.set('n', `${Math.min(size, longestPage)}`);
  return parameters.toString();
}
