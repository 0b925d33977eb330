import type { ServerResponse } from 'node:http';
import type { PendingUpload, StoredObject } from './s3-double.ts';

type Query = Readonly<Record<string, string>>;

/** One page of ListObjectsV2; the continuation token is the last key of the page before. */
export function listXml(objects: readonly [string, StoredObject][], query: Query, pageSize: number): string {
  const { page, next } = paged(
    objects,
    query['prefix'],
    query['continuation-token'] ?? query['start-after'],
    pageSize,
  );
  const contents = page.map(
    ([key, { bytes, etag, writtenAt }]) =>
      `<Contents><Key>${escaped(key)}</Key><Size>${bytes.byteLength}</Size><ETag>${escaped(etag)}</ETag>` +
      `<LastModified>${writtenAt.toISOString()}</LastModified></Contents>`,
  );
  const token = next === undefined ? '' : `<NextContinuationToken>${escaped(next)}</NextContinuationToken>`;
  return (
    `<?xml version="1.0"?><ListBucketResult><KeyCount>${page.length}</KeyCount>` +
    `<IsTruncated>${next !== undefined}</IsTruncated>${token}${contents.join('')}</ListBucketResult>`
  );
}

/** One page of ListMultipartUploads. */
export function uploadsXml(
  uploads: readonly [string, PendingUpload][],
  query: Query,
  pageSize: number,
): string {
  const byKey = uploads.map(([id, upload]) => [`${upload.key}\n${id}`, { id, ...upload }] as const);
  const after = query['key-marker'] && `${query['key-marker']}\n${query['upload-id-marker'] ?? ''}`;
  const { page, next } = paged(byKey, query['prefix'], after, pageSize);
  const entries = page.map(
    ([, { id, key, startedAt }]) =>
      `<Upload><Key>${escaped(key)}</Key><UploadId>${id}</UploadId>` +
      `<Initiated>${startedAt.toISOString()}</Initiated></Upload>`,
  );
  const [keyMarker, idMarker] = (next ?? '').split('\n');
  const markers = next
    ? `<NextKeyMarker>${escaped(keyMarker ?? '')}</NextKeyMarker><NextUploadIdMarker>${idMarker}</NextUploadIdMarker>`
    : '';
  return (
    `<?xml version="1.0"?><ListMultipartUploadsResult><IsTruncated>${next !== undefined}</IsTruncated>` +
    `${markers}${entries.join('')}</ListMultipartUploadsResult>`
  );
}

function paged<T>(
  items: readonly (readonly [string, T])[],
  prefix: string | undefined,
  after: string | undefined,
  pageSize: number,
) {
  const matching = items
    .filter(([key]) => key.startsWith(prefix ?? '') && key > (after ?? ''))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const page = matching.slice(0, pageSize);
  return { page, next: matching.length > pageSize ? page.at(-1)?.[0] : undefined };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** An error as S3 writes it. */
export function fail(response: ServerResponse, status: number, code: string): ServerResponse {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>the double says ${code}</Message></Error>`;
  return response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
}
