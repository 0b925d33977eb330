import type { IncomingHttpHeaders } from 'node:http';
import type { Bytes } from '../oci/content.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Repository } from '../oci/reference.ts';
import type { UpstreamRequestKind } from './upstream.ts';

/** One HTTP request to be made. */
export interface UpstreamRequest {
  readonly kind: UpstreamRequestKind;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes in memory, or a stream, which can be sent once only: lower layers do not retry it. */
  readonly body?: string | Uint8Array | Bytes;
  /** What the request is to be allowed. Default: to read the repository of its URL. */
  readonly push?: PushRight;
  /** A GET with a large body, read once, by a reader that borrows its chunks. Default: false. */
  readonly isDownload?: boolean;
  /** Limit from the last byte sent to the answer's head, ms. Default: as set for the upstream. */
  readonly firstByteTimeoutMs?: number;
  /** Whether the caller has another source while a registry throttles. Default: waits. */
  readonly isUrgent?: boolean;
  /** Statuses from 500 on that are answers for the caller. Default: none. */
  readonly reads?: (status: number) => boolean;
  readonly signal?: AbortSignal;
}

/** The right to write to one repository, and to read the one that a blob is mounted from. */
export interface PushRight {
  readonly repository: Repository;
  readonly from?: Repository;
  /** Also the right to delete, where the registry's challenge asks for it. */
  readonly deletes?: true;
}

/** The head of an HTTP answer of any status. Read or `discard` the body: it holds a connection. */
export interface UpstreamResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it came from in the end. */
  readonly url: URL;
  /** A refusal by the storage behind a redirect: it says nothing about the content. */
  readonly isOfStorage?: true;
  /** The configured name of the registry that was asked. */
  readonly upstream?: string;
  /** What must not be quoted of it: what it was shown, and what it may know. Never rejects. */
  readonly secrets?: () => Promise<readonly string[]>;
  readonly body: ResponseBody;
}

/** The bytes of an answer, to be read once. The part of a Node stream that is used here. */
export interface ResponseBody extends Bytes {
  /** Over, whatever the end was: it holds nothing any more. */
  readonly closed: boolean;
  once(event: 'close', heard: () => void): unknown;
  /** Destroys it; a reader that waits for bytes gets the reason. */
  destroy(reason?: Error): unknown;
}

/** Makes one request. Rejects when there is no answer; a bad status is an answer. */
export type Dispatch = (ask: UpstreamRequest) => Promise<UpstreamResponse>;

/** True unless the body is a stream, of which a part may be gone. */
export function isReplayable({ body }: UpstreamRequest): boolean {
  return body === undefined || typeof body === 'string' || body instanceof Uint8Array;
}

/** More of an unwanted body than this is not worth a kept connection, in bytes. */
const mostDiscarded = 64 * 1024;

/** Drops a body: drains a short one to keep its connection, cuts a long one. Idempotent. */
export function discard({ body }: UpstreamResponse): void {
  drained(body).catch(() => undefined);
}

async function drained(body: ResponseBody): Promise<void> {
  let seen = 0;
  for await (const chunk of body) {
    seen += chunk.byteLength;
    if (seen > mostDiscarded) break;
  }
}

/** The whole of a small body; one longer than `maxBytes` is refused with `UPSTREAM_INVALID`. */
export async function wholeBody({ body }: { readonly body: Bytes }, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(new Uint8Array(chunk));
  }
  return Buffer.concat(chunks, size);
}

/** A header's value; the first one of several lines. */
export function headerOf(answer: UpstreamResponse, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/** Every line of a header. */
export function headerLines({ headers }: UpstreamResponse, name: string): readonly string[] {
  const value = headers[name];
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** `Content-Length`, or undefined when there is none that can be believed. */
export function contentLength(answer: UpstreamResponse): number | undefined {
  const text = headerOf(answer, 'content-length');
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function tooLarge(maxBytes: number): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', 'the upstream answered with more bytes than the limit', {
    detail: { maxBytes },
  });
}

const kinds: ReadonlySet<string> = new Set(['manifests', 'blobs', 'tags', 'referrers']);
const uploads = '/blobs/uploads';

/** The repository that a URL of a registry is about; undefined where it is about none. */
export function repositoryOf({ pathname }: URL): string | undefined {
  const start = pathname.indexOf('/v2/') + '/v2/'.length;
  const last = pathname.lastIndexOf('/');
  const end = pathname.lastIndexOf('/', last - 1);
  if (start < '/v2/'.length || end <= start) return undefined;
  if (pathname.slice(0, last).endsWith(uploads)) return pathname.slice(start, last - uploads.length);
  return kinds.has(pathname.slice(end + 1, last)) ? pathname.slice(start, end) : undefined;
}

/** The longest answer head, in bytes: Go's clients read 1 MiB, gateways send 60 KiB. */
export const longestHead = 256 * 1024;

const malformedCode = 'ERR_MALFORMED_ANSWER';

/** An answer that is no HTTP. */
export function malformed(what: string): Error {
  return Object.assign(new Error(`the answer has a malformed ${what}`), { code: malformedCode });
}

/** True for the failure to read one answer as HTTP: it says nothing of the next one. */
export function isUnreadable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === malformedCode || code === 'UND_ERR_HEADERS_OVERFLOW' || code.startsWith('HPE_');
}
