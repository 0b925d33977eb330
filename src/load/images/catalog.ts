import { field, jsonOrNone, listOf, textOf } from '../../base/text/json.ts';
import { isTag, parseRepository } from '../../oci/reference.ts';
import { nextQueryOf } from '../../upstream/client/listings.ts';
import { headerLines, wholeBody } from '../../upstream/exchange.ts';
import { toLoadFailure } from '../client/failure.ts';
import { type LoadTarget, urlOf } from '../client/target.ts';
import { createWire, type Wire } from '../client/wire.ts';
import type { LoadImage } from '../model/images.ts';

interface CatalogOptions {
  /** Images beyond these are left out. */
  readonly most: number;
  readonly signal: AbortSignal;
}

const times = { firstByteTimeoutMs: 30_000, progressTimeoutMs: 30_000 };
const maxBytes = 16 * 1024 * 1024;
const mostPages = 1_000;

/**
 * The images of a registry: every tag of the repositories in its catalog, or of those that are
 * named. Throws LoadFailure where it has no catalog.
 */
export async function imagesOf(
  registry: LoadTarget,
  repositories: readonly string[],
  { most, signal }: CatalogOptions,
): Promise<readonly LoadImage[]> {
  const wire = createWire({ target: registry, ...times, sent: () => {} });
  const images: LoadImage[] = [];
  try {
    const names =
      repositories.length > 0
        ? repositories
        : await listed(wire, registry, { path: '/v2/_catalog', key: 'repositories', signal });
    for (const name of names) {
      if (images.length >= most) break;
      const repository = parseRepository(name);
      const tags = await listed(wire, registry, { path: `/v2/${repository}/tags/list`, key: 'tags', signal });
      images.push(...tags.filter(isTag).map((tag) => ({ repository, reference: { tag } })));
    }
    return images.slice(0, most);
  } finally {
    await wire.close();
  }
}

/** All pages of a list (distribution-spec, "Listing Tags"; `Link` names the next page). */
async function listed(
  wire: Wire,
  registry: LoadTarget,
  { path, key, signal }: { readonly path: string; readonly key: string; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const found: string[] = [];
  let next: URL | undefined = urlOf(registry, path);
  for (let pages = 0; next !== undefined && pages < mostPages; pages += 1) {
    const page: ListedPage = await pageOf(wire, next, signal);
    found.push(...listOf(field(page.body, key)).flatMap((name) => textOf(name) ?? []));
    next = page.next;
  }
  return found;
}

interface ListedPage {
  readonly body: unknown;
  readonly next: URL | undefined;
}

async function pageOf({ send }: Wire, url: URL, signal: AbortSignal): Promise<ListedPage> {
  const where = `GET ${url.pathname}`;
  try {
    const answer = await send({ kind: 'tags', method: 'GET', url, signal });
    const body = jsonOrNone(await wholeBody(answer, maxBytes));
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    const query = nextQueryOf(headerLines(answer, 'link'), answer.url);
    return { body, next: query === undefined ? undefined : new URL(`?${query}`, url) };
  } catch (error) {
    throw toLoadFailure(error, where);
  }
}
