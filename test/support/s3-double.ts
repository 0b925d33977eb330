/**
 * An S3 server for tests: real HTTP, path style, one process's memory. It answers the operations
 * that the store uses as S3 does, records every request, and has switches named after what real
 * servers do to their clients. It checks no signatures, but wants one: a request without any is
 * refused.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listening } from './listening.ts';
import { type BucketSetting, bucketOperationOf, bucketOperations } from './s3-bucket-operations.ts';
import { type S3State, s3Operations } from './s3-operations.ts';
import { fail } from './s3-xml.ts';

/** What the server does wrong. All are off at first, and may be changed at any time. */
export interface S3Switches {
  /** Connections are destroyed without an answer. */
  down: boolean;
  /** Connections are accepted and never answered. */
  silent: boolean;
  /** GET sends a body in small pieces, so many bytes a second. */
  bytesPerSecond: number | undefined;
  /** Every answer waits this long, in milliseconds. */
  slowMs: number;
  /** The next so many requests are answered 503 SlowDown. */
  slowDown: number;
  /** GET answers as if objects ended after so many bytes, consistently. */
  truncatesObjects: number | undefined;
  /** GET promises the whole body and breaks the connection after so many bytes. */
  dropsAfter: number | undefined;
  /** GET sends so many bytes, and then nothing. */
  stallsAfter: number | undefined;
  /** GET says that there is no such key, while HEAD and listings still show it. */
  losesObjects: boolean;
  /** That there is no such object is said once this resolves, whatever was put since. */
  saysAbsentAfter: Promise<unknown> | undefined;
  /** CompleteMultipartUpload answers 200 with an error in its body. */
  errorOnComplete: boolean;
  /** UploadPart of this number answers 500. */
  errorOnPart: number | undefined;
  /** A PutObject is done, but its first answer is lost. */
  losesPutAnswers: number;
  /** If-Match is compared with the bare ETag, as radosgw does. */
  wantsBareEtags: boolean;
  /** PutObject writes over an object whatever its conditions say. */
  ignoresConditions: boolean;
  /** Operations that are refused, each with a status and a code, such as 501 NotImplemented. */
  refuses: Readonly<Record<string, readonly [status: number, code: string]>>;
  /** PutObject is refused while public access is blocked, as radosgw 16 does. */
  refusesBlocked: boolean;
  /** So many more of them are taken before it notices the block. */
  noticesBlockAfter: number;
  /** Each PutObject keeps a version, and DeleteObject without a version adds a marker. */
  isVersioned: boolean;
  /** DeleteObject of a version is refused, as by a policy without `s3:DeleteObjectVersion`. */
  refusesVersions: boolean;
  /** Its clock is ahead of ours, in milliseconds. */
  skewMs: number;
  /** Refuses what was signed more than 15 minutes before or after its own time, as S3 does. */
  checksTime: boolean;
  /** Entries of one listing page. */
  pageSize: number;
}

export interface S3Request {
  /** As S3 names it: `GetObject`. */
  readonly operation: string;
  /** Without the bucket. */
  readonly key: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly isPresigned: boolean;
}

export interface StoredObject {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly contentType: string | undefined;
  readonly writtenAt: Date;
}

interface StoredVersion {
  readonly key: string;
  /** Undefined: a marker. */
  readonly object: StoredObject | undefined;
}

export interface PendingUpload {
  readonly key: string;
  readonly startedAt: Date;
  readonly parts: Map<number, StoredObject>;
}

/** The bucket itself: there at first, as a user made it. */
interface BucketState {
  exists: boolean;
  /** What was put last, in XML. */
  readonly settings: Map<BucketSetting, string>;
}

export interface S3Double {
  /**
   * Such as `http://127.0.0.1:40123`; use it with path style. Every bucket name is the same bucket.
   */
  readonly endpoint: string;
  readonly switches: S3Switches;
  /** Every request so far, in order; empty it between the steps of a test. */
  readonly requests: S3Request[];
  readonly objects: Map<string, StoredObject>;
  /** Of a versioned bucket, by their ids: objects, and markers of deletions. */
  readonly versions: Map<string, StoredVersion>;
  readonly uploads: Map<string, PendingUpload>;
  readonly bucket: BucketState;
  /** Connections that are open now. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export async function s3Double(options: { readonly port?: number } = {}): Promise<S3Double> {
  const switches: S3Switches = {
    down: false,
    silent: false,
    bytesPerSecond: undefined,
    slowMs: 0,
    slowDown: 0,
    truncatesObjects: undefined,
    dropsAfter: undefined,
    stallsAfter: undefined,
    losesObjects: false,
    saysAbsentAfter: undefined,
    errorOnComplete: false,
    errorOnPart: undefined,
    losesPutAnswers: 0,
    wantsBareEtags: false,
    ignoresConditions: false,
    refuses: {},
    refusesBlocked: false,
    noticesBlockAfter: 0,
    isVersioned: false,
    refusesVersions: false,
    skewMs: 0,
    checksTime: false,
    pageSize: 1000,
  };
  const state: S3State = {
    switches,
    requests: [],
    objects: new Map(),
    versions: new Map(),
    uploads: new Map(),
    bucket: { exists: true, settings: new Map() },
    lastUpload: 0,
  };
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: unknown) => response.destroy(asError(error)));
  });
  const { host, close } = await listening(server, options.port);
  return {
    endpoint: `http://${host}`,
    switches,
    requests: state.requests,
    objects: state.objects,
    versions: state.versions,
    uploads: state.uploads,
    bucket: state.bucket,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    close,
  };
}

const readOperations: ReadonlySet<string> = new Set(['GetObject', 'HeadObject']);

async function answer(state: S3State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = Buffer.concat(await request.toArray());
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://s3');
  const query = Object.fromEntries(searchParams);
  const key = decodeURIComponent(pathname).split('/').slice(2).join('/');
  const operation = operationOf(request, key, query);
  const isPresigned = 'X-Amz-Signature' in query;
  const call = { operation, key, query, headers: request.headers, isPresigned, state, body, response };
  state.requests.push({ operation, key, query, headers: request.headers, isPresigned });
  const isAbsent = readOperations.has(operation) && !state.objects.has(key);
  if (isAbsent && state.switches.saysAbsentAfter !== undefined) {
    await state.switches.saysAbsentAfter;
    return void fail(response, 404, 'NoSuchKey');
  }
  if (state.switches.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, state.switches.slowMs));
  if (state.switches.silent) return;
  if (state.switches.skewMs !== 0)
    response.setHeader('date', new Date(Date.now() + state.switches.skewMs).toUTCString());
  const isSigned = isPresigned || request.headers.authorization !== undefined;
  if (state.switches.down) {
    response.destroy();
  } else if (state.switches.slowDown > 0) {
    state.switches.slowDown -= 1;
    fail(response, 503, 'SlowDown');
  } else if (state.switches.checksTime && isSkewed(request, query, state.switches.skewMs)) {
    fail(response, 403, 'RequestTimeTooSkewed');
  } else if (isSigned && operation in state.switches.refuses) {
    fail(response, ...(state.switches.refuses[operation] ?? ([500, 'InternalError'] as const)));
  } else if (isSigned && !state.bucket.exists && operation !== 'CreateBucket') {
    fail(response, 404, 'NoSuchBucket');
  } else if (isSigned) {
    const operate =
      s3Operations[operation] ?? bucketOperations[operation] ?? (() => fail(response, 501, 'NotImplemented'));
    operate(call);
  } else {
    fail(response, 403, 'AccessDenied');
  }
}

/** By the time at which a request says that it was signed: `20261130T204500Z`. */
function isSkewed(
  { headers }: IncomingMessage,
  query: Readonly<Record<string, string>>,
  skewMs: number,
): boolean {
  const signed = String(headers['x-amz-date'] ?? query['X-Amz-Date']);
  const at = Date.parse(signed.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  return Math.abs(Date.now() + skewMs - at) > 15 * 60_000;
}

function operationOf(
  { method = '', headers }: IncomingMessage,
  key: string,
  query: Readonly<Record<string, string>>,
): string {
  if (key === '' && method === 'POST' && 'delete' in query) return 'DeleteObjects';
  if (method === 'PUT' && 'x-amz-copy-source' in headers && !('uploadId' in query)) return 'CopyObject';
  if (key === '')
    return (
      bucketOperationOf(method, query) ?? ('uploads' in query ? 'ListMultipartUploads' : 'ListObjectsV2')
    );
  if ('uploads' in query) return 'CreateMultipartUpload';
  if ('uploadId' in query) {
    const ofUpload: Record<string, string> = {
      PUT: 'UploadPart',
      POST: 'CompleteMultipartUpload',
      DELETE: 'AbortMultipartUpload',
    };
    return ofUpload[method] ?? method;
  }
  const ofObject: Record<string, string> = {
    GET: 'GetObject',
    HEAD: 'HeadObject',
    PUT: 'PutObject',
    DELETE: 'DeleteObject',
  };
  return ofObject[method] ?? method;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
