import type { Listings, ServedPage } from '../cache/listings.ts';
import { RegistryError } from '../oci/errors.ts';
import { isTag, type Repository, type Tag } from '../oci/reference.ts';
import type { RegistryRequest } from '../oci/request.ts';
import { answer, type Exchange, type Headers } from './exchange.ts';

type TagsRequest = Extract<RegistryRequest, { kind: 'tags' }>;
type ReferrersRequest = Extract<RegistryRequest, { kind: 'referrers' }>;

/** Those of the tags that may be shown, in their order. */
export type VisibleTags = (tags: readonly Tag[]) => Promise<readonly Tag[]>;

/** A page whose every tag costs a question is no longer than this. */
const longestFilteredPage = 1000;

/**
 * end-8: tags, page by page; names and links are those of the client's own view (distribution-spec, "Listing Tags"). With `visible`,
 * pages may come with fewer tags than the upstream's, or with none; the link to the next one stays.
 */
export async function answerTags(
  exchange: Exchange,
  { repository, query }: TagsRequest,
  asked: Repository,
  listings: Listings,
  visible?: VisibleTags,
): Promise<void> {
  const served = await listings.tags(repository, visible === undefined ? query : bounded(query));
  exchange.log.hit = served.hit;
  const all = tagsOf(served.page.bytes);
  const tags = visible === undefined ? all : await visible(all.filter(isTag));
  const bytes = Buffer.from(JSON.stringify({ name: asked, tags }));
  answerPage(exchange, served, bytes, 'application/json', `/v2/${asked}/tags/list`);
}

/** end-12: what refers to a manifest (distribution-spec, "Listing Referrers"). */
export async function answerReferrers(
  exchange: Exchange,
  { repository, digest, query, artifactType }: ReferrersRequest,
  asked: Repository,
  listings: Listings,
): Promise<void> {
  const served = await listings.referrers(repository, digest, query, artifactType);
  exchange.log.hit = served.hit;
  answerPage(exchange, served, served.page.bytes, served.page.mediaType, `/v2/${asked}/referrers/${digest}`);
}

function answerPage(
  exchange: Exchange,
  served: ServedPage,
  bytes: Uint8Array,
  type: string,
  path: string,
): void {
  const { nextQuery, filtersApplied, warnings } = served.page;
  const headers: Headers = {
    'content-type': type,
    'content-length': bytes.byteLength,
    ...(nextQuery === undefined
      ? {}
      : { link: `<${path}?${withNamespace(nextQuery, exchange.namespace)}>; rel="next"` }),
    ...(filtersApplied === undefined ? {} : { 'oci-filters-applied': filtersApplied }),
    ...(warnings.length === 0 ? {} : { warning: warnings }),
    ...(served.ageSeconds === undefined ? {} : { age: served.ageSeconds }),
  };
  answer(exchange, 200, headers, bytes);
}

function bounded(query: string): string {
  const parameters = new URLSearchParams(query);
  const size = Number(parameters.get('n') ?? longestFilteredPage);
  parameters.set('n', `${Math.min(size, longestFilteredPage)}`);
  return parameters.toString();
}

function withNamespace(query: string, namespace: string | undefined): string {
  return namespace === undefined ? query : `${query}&ns=${encodeURIComponent(namespace)}`;
}

function tagsOf(bytes: Uint8Array): unknown[] {
  try {
    const { tags } = JSON.parse(Buffer.from(bytes).toString()) as { tags?: unknown };
    return Array.isArray(tags) ? tags : [];
  } catch (cause) {
    throw new RegistryError('UPSTREAM_INVALID', 'the upstream answered a tag list that is not JSON', {
      cause,
    });
  }
}
