/**
 * An S3 server for tests: real HTTP, path style, one process's memory. It answers the operations that the store uses as
 * S3 does, records every request, and has switches named after what real servers do to their clients. It checks no
 * signatures, but wants one: a request without any is refused.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listXml, uploadsXml } from './s3-xml.ts';

/** What the server does wrong. All are off at first, and may be changed at any time. */
export interface S3Switches {
  /** Connections are destroyed without an answer. */
  down: boolean;
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
  /** CompleteMultipartUpload answers 200 with an error in its body. */
  errorOnComplete: boolean;
  /** UploadPart of this number answers 500. */
  errorOnPart: number | undefined;
  /** A PutObject is done, but its first answer is lost. */
  losesPutAnswers: number;
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

export interface PendingUpload {
  readonly key: string;
  readonly startedAt: Date;
  readonly parts: Map<number, StoredObject>;
}

export interface S3Double {
  /** Such as `http://127.0.0.1:40123`; use it with path style. Every bucket name is the same bucket. */
  readonly endpoint: string;
  readonly switches: S3Switches;
  /** Every request so far, in order; empty it between the steps of a test. */
  readonly requests: S3Request[];
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, PendingUpload>;
  /** Connections that are open now. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export async function s3Double(options: { readonly port?: number } = {}): Promise<S3Double> {
  const switches: S3Switches = {
    down: false,
    slowMs: 0,
    slowDown: 0,
    truncatesObjects: undefined,
    dropsAfter: undefined,
    stallsAfter: undefined,
    losesObjects: false,
    errorOnComplete: false,
    errorOnPart: undefined,
    losesPutAnswers: 0,
    pageSize: 1000,
  };
  const state: State = { switches, requests: [], objects: new Map(), uploads: new Map(), lastUpload: 0 };
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: unknown) => response.destroy(asError(error)));
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    switches,
    requests: state.requests,
    objects: state.objects,
    uploads: state.uploads,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface State extends Pick<S3Double, 'switches' | 'requests' | 'objects' | 'uploads'> {
  lastUpload: number;
}

interface Call extends S3Request {
  readonly state: State;
  readonly body: Buffer;
  readonly response: ServerResponse;
}

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = Buffer.concat(await request.toArray());
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://s3');
  const query = Object.fromEntries(searchParams);
  const key = decodeURIComponent(pathname).split('/').slice(2).join('/');
  const operation = operationOf(request.method ?? '', key, query);
  const isPresigned = 'X-Amz-Signature' in query;
  const call = { operation, key, query, headers: request.headers, isPresigned, state, body, response };
  state.requests.push({ operation, key, query, headers: request.headers, isPresigned });
  if (state.switches.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, state.switches.slowMs));
  if (state.switches.down) return void response.destroy();
  if (state.switches.slowDown > 0) {
    state.switches.slowDown -= 1;
    return fail(response, 503, 'SlowDown');
  }
  if (!isPresigned && request.headers.authorization === undefined) return fail(response, 403, 'AccessDenied');
  const operate = operations[operation];
  if (operate === undefined) return fail(response, 501, 'NotImplemented');
  operate(call);
}

function operationOf(method: string, key: string, query: Readonly<Record<string, string>>): string {
  if (key === '') return 'uploads' in query ? 'ListMultipartUploads' : 'ListObjectsV2';
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

const operations: Readonly<Record<string, (call: Call) => void>> = {
  GetObject: getObject,
  HeadObject({ state, key, response }) {
    const found = state.objects.get(key);
    if (found === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { ...objectHeaders(found), 'content-length': found.bytes.byteLength }).end();
  },
  PutObject({ state, key, body, headers, response }) {
    const held = state.objects.get(key);
    const ifMatch = headers['if-match'];
    if (headers['if-none-match'] === '*' && held !== undefined)
      return fail(response, 412, 'PreconditionFailed');
    if (ifMatch !== undefined && held === undefined) return fail(response, 404, 'NoSuchKey');
    if (ifMatch !== undefined && held?.etag !== ifMatch) return fail(response, 412, 'PreconditionFailed');
    const object = storedObject(body, headers['content-type']);
    state.objects.set(key, object);
    if (state.switches.losesPutAnswers > 0) {
      state.switches.losesPutAnswers -= 1;
      return fail(response, 500, 'InternalError');
    }
    response.writeHead(200, { etag: object.etag }).end();
  },
  DeleteObject({ state, key, response }) {
    state.objects.delete(key);
    response.writeHead(204).end();
  },
  ListObjectsV2({ state, query, response }) {
    response.end(listXml([...state.objects], query, state.switches.pageSize));
  },
  CreateMultipartUpload({ state, key, response }) {
    state.lastUpload += 1;
    const id = `upload-${state.lastUpload}`;
    state.uploads.set(id, { key, startedAt: new Date(), parts: new Map() });
    response.end(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  },
  UploadPart({ state, query, body, response }) {
    const upload = state.uploads.get(query['uploadId'] ?? '');
    const number = Number(query['partNumber']);
    if (upload === undefined) return fail(response, 404, 'NoSuchUpload');
    if (number === state.switches.errorOnPart) return fail(response, 500, 'InternalError');
    const part = storedObject(body, undefined);
    upload.parts.set(number, part);
    response.writeHead(200, { etag: part.etag }).end();
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
    response.end('<CompleteMultipartUploadResult><ETag>"x-1"</ETag></CompleteMultipartUploadResult>');
  },
  AbortMultipartUpload({ state, query, response }) {
    const isKnown = state.uploads.delete(query['uploadId'] ?? '');
    if (isKnown) response.writeHead(204).end();
    else fail(response, 404, 'NoSuchUpload');
  },
  ListMultipartUploads({ state, query, response }) {
    response.end(uploadsXml([...state.uploads], query, state.switches.pageSize));
  },
};

function getObject({ state: { switches, objects }, key, headers, response }: Call): void {
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
    'content-length': part.byteLength,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end}/${bytes.byteLength}` }),
  });
  if (switches.stallsAfter !== undefined) {
    response.write(part.subarray(0, switches.stallsAfter));
  } else if (switches.dropsAfter !== undefined) {
    response.write(part.subarray(0, switches.dropsAfter), () => response.destroy());
  } else {
    response.end(part);
  }
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

function fail(response: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>the double says ${code}</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
