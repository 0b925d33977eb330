import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { ClientManifests } from '../../cache/manifests/client-manifests.ts';
import type { ServedManifest } from '../../cache/manifests/tag-resolver.ts';
import { isAttachmentTag } from '../../oci/referrers-tag.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import { answer, type Exchange, type Headers, isKnown } from '../http/exchange.ts';
import type { WantedContent } from './next-mirror.ts';

type ManifestRequest = Extract<RegistryRequest, { kind: 'manifest' }>;

/**
 * end-3: a manifest, byte for byte, with its media type (distribution-spec, "Pulling manifests"). A
 * ready one is answered before the call returns.
 */
export function answerManifest(
  exchange: Exchange,
  { repository, reference }: ManifestRequest,
  manifests: ClientManifests,
): MaybePromise<void> {
  const userAgent = exchange.req.headers['user-agent'];
  const served =
    manifests.ready(repository, reference, userAgent) ?? manifests.resolve(repository, reference, userAgent);
  return andThen(served, (manifest) => answerServed(exchange, manifest));
}

/** What a client loses where this manifest is refused. */
export function wantedBy(
  { reference }: ManifestRequest,
  manifests: Pick<ClientManifests, 'isChild'>,
): WantedContent {
  if (reference.digest !== undefined) return manifests.isChild(reference.digest) ? 'child' : 'manifest';
  return isAttachmentTag(reference.tag) ? 'signature' : 'manifest';
}

function answerServed(exchange: Exchange, served: ServedManifest): void {
  exchange.log.hit = served.hit;
  const { digest } = served.descriptor;
  if (isKnown(exchange.req.headers['if-none-match'], digest)) answer(exchange, 304, manifestHeaders(served));
  else {
    const length = { 'content-length': served.bytes.byteLength };
    answer(exchange, 200, { ...manifestHeaders(served), ...length }, served.bytes);
  }
}

function manifestHeaders({ descriptor, ageSeconds, ...served }: ServedManifest): Headers {
  const { digest, mediaType } = descriptor;
  const warnings = served.notice === undefined ? served.warnings : [...served.warnings, served.notice];
  return {
    'content-type': mediaType,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    ...(warnings.length === 0 ? {} : { warning: warnings }),
    ...(ageSeconds === undefined ? {} : { age: ageSeconds }),
  };
}
