import type { Listings, ServedPage } from '../cache/listings.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Repository } from '../oci/reference.ts';
import type { RegistryRequest } from '../oci/request.ts';
import { answer, type Exchange, type Headers } from './exchange.ts';

type TagsRequest = Extract<RegistryRequest, { kind: 'tags' }>;
type ReferrersRequest = Extract<RegistryRequest, { kind: 'referrers' }>;

/** end-8: tags, page by page; names and links are those of the client's own view (distribution-spec, "Listing Tags"). */
export async function answerTags(
  exchange: Exchange,
  { repository, query }: TagsRequest,
  asked: Repository,
  { tags }: Pick<Listings, 'tags'>,
): Promise<void> {
  const served = await tags(repository, query);
  exchange.log.hit = served.hit;
  const bytes = Buffer.from(JSON.stringify({ name: asked, tags: tagsOf(served.page.bytes) }));
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

function withNamespace(query: string, namespace: string | undefined): string {
  return namespace === undefined ? query : `${query}&ns=${encodeURIComponent(namespace)}`;
}

/** The tags of a page as the upstream wrote it; throws `UPSTREAM_INVALID`. */
export function tagsOf(bytes: Uint8Array): unknown[] {
  try {
    const { tags } = JSON.parse(Buffer.from(bytes).toString()) as { tags?: unknown };
    return Array.isArray(tags) ? tags : [];
  } catch (cause) {
    throw new RegistryError('UPSTREAM_INVALID', 'the upstream answered a tag list that is not JSON', {
      cause,
    });
  }
}
