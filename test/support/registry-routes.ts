import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { mediaTypes, parseManifest } from '../../src/oci/manifest.ts';
import type { DoubleRepository } from './registry-contents.ts';
import { answerContent, answerHtml, answerJson, type Reply, refuse } from './registry-replies.ts';

/** True when a switch refuses the request, which is then answered. */
export function isRefused(reply: Reply): boolean {
  const { switches } = reply.state;
  const { record } = reply;
  if (switches.throttles !== undefined && switches.throttles > 0) {
    switches.throttles -= 1;
    refuse(reply, 429, 'TOOMANYREQUESTS', 'slow down');
    return true;
  }
  if (isThrottled(reply)) {
    refuse(reply, 429, 'TOOMANYREQUESTS', 'slow down');
    return true;
  }
  const fault = switches.status;
  if (fault === undefined || fault.times === 0) return false;
  const isHit =
    fault.of === 'everything' ||
    (fault.of === 'cdn' ? record.cdn : !record.cdn && record.path.includes(`/${fault.of}`));
  if (!isHit) return false;
  if (fault.times !== undefined) switches.status = { ...fault, times: fault.times - 1 };
  refuse(reply, fault.code, fault.error ?? 'UNKNOWN', 'as the switch says');
  return true;
}

function isThrottled({ state }: Reply): boolean {
  const { throttlesEvery } = state.switches;
  if (throttlesEvery === undefined) return false;
  state.counted += 1;
  return Math.floor(state.counted / throttlesEvery) > Math.floor((state.counted - 1) / throttlesEvery);
}

/** Answers from what the repositories hold. */
export function route(reply: Reply) {
  const { record, state } = reply;
  if (record.path === '/v2/') return answerJson(reply, 200, {});
  const match = /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/([^/]+)$/.exec(record.path);
  const repository = state.repositories.get(match?.[1] ?? '');
  const [, , kind = '', last = ''] = match ?? [];
  if (state.switches.answersHtml === true) return answerHtml(reply);
  if (repository === undefined) return refuse(reply, 404, 'NAME_UNKNOWN', 'no such repository');
  if (kind === 'tags') return answerTags(reply, repository);
  if (kind === 'referrers') return answerReferrers(reply, repository, last);
  if (kind === 'manifests') return answerManifest(reply, repository, last);
  answerBlob(reply, repository, last);
}

function answerManifest(reply: Reply, repository: DoubleRepository, reference: string) {
  if (isHidden(reply)) return refuse(reply, 404, 'MANIFEST_UNKNOWN', 'not yet');
  const digest = reference.includes(':') ? (reference as Digest) : repository.tags.get(reference);
  const found = digest === undefined ? undefined : manifestOf(repository, digest);
  if (digest === undefined || found === undefined || isLate(reply, reference, digest)) {
    return refuse(reply, 404, 'MANIFEST_UNKNOWN', 'no such manifest');
  }
  answerContent(reply, { kind: 'manifest', digest, ...found });
}

function isLate({ record, state }: Reply, reference: string, digest: Digest): boolean {
  const { lagsBehind, headsOnly } = state.switches;
  const isHeadByTag = record.method === 'HEAD' && reference !== digest;
  return reference === lagsBehind || (digest === headsOnly && !isHeadByTag);
}

function isHidden({ record, state: { switches } }: Reply): boolean {
  const { hidesManifests } = switches;
  if (hidesManifests === 'HEAD') return record.method === 'HEAD';
  if (hidesManifests === undefined || hidesManifests === 0) return false;
  switches.hidesManifests = hidesManifests - 1;
  return true;
}

/** Manifests are kept by sha256, and answered by any digest that fits. */
function manifestOf({ manifests }: DoubleRepository, digest: Digest) {
  const isOther = digest.startsWith('sha512:');
  return isOther
    ? [...manifests.values()].find(({ bytes }) => digestOf(bytes, 'sha512') === digest)
    : manifests.get(digest);
}

function answerBlob(reply: Reply, repository: DoubleRepository, digest: string) {
  const { record, state } = reply;
  const { switches } = state;
  const bytes = repository.blobs.get(digest as Digest);
  if (bytes === undefined) return refuse(reply, 404, 'BLOB_UNKNOWN', 'no such blob');
  if (switches.refusesBlobHead !== undefined && record.method === 'HEAD' && !record.cdn) {
    return refuse(reply, switches.refusesBlobHead, 'DENIED', 'no HEAD here');
  }
  const isStated = record.method === 'HEAD' && switches.redirectsHeads !== true;
  const location = isStated ? undefined : redirectOf(reply);
  if (location !== undefined) {
    const headers = { location, 'docker-content-digest': digest, 'cache-control': 'max-age=31536000' };
    record.status = 302;
    return reply.response.writeHead(302, headers).end();
  }
  answerContent(reply, {
    kind: 'blob',
    digest: digest as Digest,
    bytes,
    mediaType: 'application/octet-stream',
  });
}

function redirectOf({ record, state }: Reply): string | undefined {
  const { switches } = state;
  if (switches.redirectsInALoop === true) return `${state.url}${record.path}?again`;
  if (record.cdn) return undefined;
  if (switches.redirectsTo !== undefined) return switches.redirectsTo;
  return switches.redirectsBlobs === true ? `${state.cdnUrl}${record.path}?signature=secret` : undefined;
}

function answerTags(reply: Reply, repository: DoubleRepository): void {
  const query = new URLSearchParams(reply.record.query);
  const all = [...repository.tags.keys()].filter((tag) => tag > (query.get('last') ?? '')).sort(byCodeUnit);
  const { ignoresPageSize, omitsLinks, reversesTags } = reply.state.switches;
  if (reversesTags === true)
    all.splice(0, all.length, ...[...repository.tags.keys()].sort(byCodeUnit).reverse());
  const size = ignoresPageSize === true ? Number.POSITIVE_INFINITY : Number(query.get('n') ?? 100);
  const tags = all.slice(0, size);
  const name = reply.record.path.slice('/v2/'.length, -'/tags/list'.length);
  if (all.length > tags.length && tags.length > 0 && omitsLinks !== true) {
    const next = `${reply.state.url}/v2/${name}/tags/list?n=${size}&last=${tags.at(-1)}`;
    reply.response.setHeader('link', `<${next}>; rel="next"`);
  }
  answerJson(reply, 200, { name, tags }, reply.state.switches.wrongMediaType);
}

function answerReferrers(reply: Reply, repository: DoubleRepository, digest: string) {
  const { referrersText, redirectsReferrers } = reply.state.switches;
  if (redirectsReferrers !== undefined) {
    reply.record.status = 303;
    return reply.response.writeHead(303, { location: redirectsReferrers }).end();
  }
  if (referrersText !== undefined) {
    reply.record.status = 200;
    return reply.response.writeHead(200, { 'content-type': 'text/html' }).end(referrersText);
  }
  if (reply.state.switches.lacksReferrers === true) {
    return refuse(reply, 404, 'UNSUPPORTED', 'no referrers API');
  }
  if (reply.state.switches.refusesUnknownReferrers === true && !repository.manifests.has(digest as Digest)) {
    return refuse(reply, 400, 'MANIFEST_INVALID', 'manifest unknown');
  }
  const wanted = new URLSearchParams(reply.record.query).get('artifactType');
  const manifests = [...repository.manifests].flatMap(([own, { bytes, mediaType }]) => {
    const { subject, artifactType, annotations } = parseManifest(bytes, mediaType);
    if (subject?.digest !== digest || (wanted !== null && wanted !== artifactType)) return [];
    return [{ mediaType, digest: own, size: bytes.length, artifactType, annotations }];
  });
  if (wanted !== null) reply.response.setHeader('oci-filters-applied', 'artifactType');
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  answerJson(reply, 200, index, reply.state.switches.wrongMediaType ?? mediaTypes.ociIndex);
}

function byCodeUnit(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
