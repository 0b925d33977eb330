import type { ServedPage } from '../../cache/listings/asked-pages.ts';
import type { Listings } from '../../cache/listings/listings.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import { begin, type Exchange, type Headers } from '../http/exchange.ts';

type TagsRequest = Extract<RegistryRequest, { kind: 'tags' }>;
type ReferrersRequest = Extract<RegistryRequest, { kind: 'referrers' }>;

/** end-8: tags, page by page, with the client's names and links (distribution-spec). */
export async function answerTags(
  exchange: Exchange,
  { repository, query }: TagsRequest,
  asked: string,
  { tags }: Pick<Listings, 'tags'>,
): Promise<void> {
  const served = await tags(repository, query);
  exchange.log.hit = served.hit;
  const head = Buffer.from(`{"name":${JSON.stringify(asked)},"tags":`);
  const body = [head, served.page.json, Buffer.from('}')];
  answerPage(exchange, served, body, 'application/json', `/v2/${asked}/tags/list`);
}

/** end-12: what refers to a manifest (distribution-spec, "Listing Referrers"). */
export async function answerReferrers(
  exchange: Exchange,
  { repository, digest, query, artifactType }: ReferrersRequest,
  asked: string,
  listings: Listings,
): Promise<void> {
  const served = await listings.referrers(repository, digest, query, artifactType);
  exchange.log.hit = served.hit;
  const { bytes, mediaType } = served.page;
  answerPage(exchange, served, [bytes], mediaType, `/v2/${asked}/referrers/${digest}`);
}

interface AnsweredPage {
  readonly nextQuery?: string;
  readonly filtersApplied?: string;
  readonly warnings: readonly string[];
}

function answerPage(
  exchange: Exchange,
  served: ServedPage<AnsweredPage>,
  body: readonly Uint8Array[],
  type: string,
  path: string,
): void {
  const { nextQuery, filtersApplied } = served.page;
  const warnings = [...served.page.warnings, ...(served.notice === undefined ? [] : [served.notice])];
  const headers: Headers = {
    'content-type': type,
    'content-length': body.reduce((sum, { byteLength }) => sum + byteLength, 0),
    ...(nextQuery === undefined
      ? {}
      : { link: `<${path}?${withNamespace(nextQuery, exchange.namespace)}>; rel="next"` }),
    ...(filtersApplied === undefined ? {} : { 'oci-filters-applied': filtersApplied }),
    ...(warnings.length === 0 ? {} : { warning: warnings }),
    ...(served.ageSeconds === undefined ? {} : { age: served.ageSeconds }),
  };
  begin(exchange, 200, headers);
  if (exchange.req.method !== 'HEAD') for (const piece of body) write(exchange, piece);
  exchange.res.end();
}

/** As it is: a long list is held once, however many read it. */
function write({ res, sent }: Exchange, piece: Uint8Array): void {
  sent(piece.byteLength);
  res.write(piece);
}

function withNamespace(query: string, namespace: string | undefined): string {
  return namespace === undefined ? query : `${query}&ns=${encodeURIComponent(namespace)}`;
}
