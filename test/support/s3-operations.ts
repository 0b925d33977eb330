import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { S3Double, S3Request, StoredObject } from './s3-double.ts';
import { fail, listXml, uploadsXml } from './s3-xml.ts';

export interface S3State
  extends Pick<S3Double, 'switches' | 'requests' | 'objects' | 'versions' | 'uploads' | 'bucket'> {
  lastUpload: number;
}

export interface S3Call extends S3Request {
  readonly state: S3State;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

/** What each operation answers; a missing one is not implemented. */
export const s3Operations: Readonly<Record<string, (call: S3Call) => ServerResponse>> = {
  GetObject: getObject,
  HeadObject({ state, key, response }) {
    const found = state.objects.get(key);
    if (found === undefined) return response.writeHead(404).end();
    return response
      .writeHead(200, { ...objectHeaders(found), 'content-length': found.bytes.byteLength })
      .end();
  },
  PutObject({ state, key, body, headers, response }) {
    if (state.switches.refusesBlocked && state.bucket.settings.has('publicAccessBlock')) {
      if (state.switches.noticesBlockAfter === 0) return fail(response, 403, 'AccessDenied');
      state.switches.noticesBlockAfter -= 1;
    }
    const held = state.objects.get(key);
    const ifMatch = headers['if-match'];
    if (headers['if-none-match'] === '*' && held !== undefined && !state.switches.ignoresConditions)
      return fail(response, 412, 'PreconditionFailed');
    if (ifMatch !== undefined && held === undefined) return fail(response, 404, 'NoSuchKey');
    const etag = state.switches.wantsBareEtags ? held?.etag.replaceAll('"', '') : held?.etag;
    if (ifMatch !== undefined && etag !== ifMatch) return fail(response, 412, 'PreconditionFailed');
    const object = storedObject(body, headers['content-type']);
    state.objects.set(key, object);
    if (state.switches.losesPutAnswers > 0) {
      state.switches.losesPutAnswers -= 1;
      return fail(response, 500, 'InternalError');
    }
    return response.writeHead(200, { etag: object.etag, ...addedVersion(state, key, object) }).end();
  },
  CopyObject({ state, key, headers, response }) {
    const from = decodeURIComponent(String(headers['x-amz-copy-source'])).replace(/^\//, '');
    const object = state.objects.get(from.slice(from.indexOf('/') + 1));
    if (object === undefined) return fail(response, 404, 'NoSuchKey');
    state.objects.set(key, object);
    return response.end(`<CopyObjectResult><ETag>${object.etag}</ETag></CopyObjectResult>`);
  },
  DeleteObjects({ state, body, response }) {
    for (const [, key = ''] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) state.objects.delete(key);
    return response.end('<DeleteResult></DeleteResult>');
  },
  DeleteObject({ state, key, query, response }) {
    const id = query['versionId'];
    if (id !== undefined && state.switches.refusesVersions) return fail(response, 403, 'AccessDenied');
    if (id === undefined) {
      if (state.objects.delete(key)) addedVersion(state, key, undefined);
    } else {
      state.versions.delete(id);
      const last = [...state.versions.values()].findLast((version) => version.key === key)?.object;
      if (last === undefined) state.objects.delete(key);
      else state.objects.set(key, last);
    }
    return response.writeHead(204).end();
  },
  ListObjectsV2({ state, query, response }) {
    return response.end(listXml([...state.objects], query, state.switches.pageSize));
  },
  CreateMultipartUpload({ state, key, response }) {
    state.lastUpload += 1;
    const id = `upload-${state.lastUpload}`;
    state.uploads.set(id, { key, startedAt: new Date(), parts: new Map() });
    return response.end(
      `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  },
  UploadPart({ state, query, body, response }) {
    const upload = state.uploads.get(query['uploadId'] ?? '');
    const number = Number(query['partNumber']);
    if (upload === undefined) return fail(response, 404, 'NoSuchUpload');
    if (number === state.switches.errorOnPart) return fail(response, 500, 'InternalError');
    const part = storedObject(body, undefined);
    upload.parts.set(number, part);
    return response.writeHead(200, { etag: part.etag }).end();
  },
  CompleteMultipartUpload({ state, key, query, body, response }) {
    const upload = state.uploads.get(query['uploadId'] ?? '');
    if (upload === undefined) return fail(response, 404, 'NoSuchUpload');
    if (state.switches.errorOnComplete) return fail(response, 200, 'InternalError');
    const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((match) =>
      Number(match[1]),
    );
    const bytes = Buffer.concat(numbers.map((number) => upload.parts.get(number)?.bytes ?? Buffer.alloc(0)));
    state.objects.set(key, storedObject(bytes, undefined));
    state.uploads.delete(query['uploadId'] ?? '');
    return response.end('<CompleteMultipartUploadResult><ETag>"x-1"</ETag></CompleteMultipartUploadResult>');
  },
  AbortMultipartUpload({ state, query, response }) {
    const isKnown = state.uploads.delete(query['uploadId'] ?? '');
    return isKnown ? response.writeHead(204).end() : fail(response, 404, 'NoSuchUpload');
  },
  ListMultipartUploads({ state, query, response }) {
    return response.end(uploadsXml([...state.uploads], query, state.switches.pageSize));
  },
};

/** Gives the header that names it. */
function addedVersion(
  { switches, versions, requests }: S3State,
  key: string,
  object: StoredObject | undefined,
): Record<string, string> {
  if (!switches.isVersioned) return {};
  const id = `version-${requests.length}`;
  versions.set(id, { key, object });
  return { 'x-amz-version-id': id };
}

function getObject({ state, key, headers, response }: S3Call): ServerResponse {
  const { switches, objects, versions } = state;
  const found = objects.get(key);
  if (found === undefined || switches.losesObjects) return fail(response, 404, 'NoSuchKey');
  const bytes = found.bytes.subarray(0, switches.truncatesObjects);
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = Math.min(Number(range?.[2] || bytes.byteLength - 1), bytes.byteLength - 1);
  if (range !== null && start >= bytes.byteLength) return fail(response, 416, 'InvalidRange');
  const part = bytes.subarray(start, end + 1);
  response.writeHead(range === null ? 200 : 206, {
    ...objectHeaders(found),
    ...versionOf(versions, found),
    'content-length': part.byteLength,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end}/${bytes.byteLength}` }),
  });
  if (switches.stallsAfter !== undefined) {
    response.write(part.subarray(0, switches.stallsAfter));
    return response;
  }
  if (switches.bytesPerSecond !== undefined) return trickled(response, part, switches.bytesPerSecond);
  if (switches.dropsAfter === undefined) return response.end(part);
  response.write(part.subarray(0, switches.dropsAfter), () => response.destroy());
  return response;
}

function versionOf(versions: S3Double['versions'], found: StoredObject): Record<string, string> {
  const [id] = [...versions].find(([, { object }]) => object === found) ?? [];
  return id === undefined ? {} : { 'x-amz-version-id': id };
}

/** Twenty pieces a second. */
function trickled(response: ServerResponse, bytes: Buffer, bytesPerSecond: number): ServerResponse {
  const pieceBytes = Math.ceil(bytesPerSecond / 20);
  let at = 0;
  const timer = setInterval(() => {
    response.write(bytes.subarray(at, at + pieceBytes));
    at += pieceBytes;
    if (at < bytes.byteLength && !response.destroyed) return;
    clearInterval(timer);
    response.end();
  }, 50);
  return response;
}

function objectHeaders(object: StoredObject): Record<string, string> {
  return {
    etag: object.etag,
    'last-modified': object.writtenAt.toUTCString(),
    'accept-ranges': 'bytes',
    ...(object.contentType === undefined ? {} : { 'content-type': object.contentType }),
  };
}

function storedObject(bytes: Buffer, contentType: string | undefined): StoredObject {
  const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
  return { bytes, etag, contentType, writtenAt: new Date() };
}
