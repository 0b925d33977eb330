import { randomBytes } from 'node:crypto';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { KnownBlob, OpenedBlob, PulledBlobs } from '../../cache/blobs/pulled-blobs.ts';
import type { ByteRange, Bytes, Descriptor } from '../../oci/content.ts';
import { boundRanges, lengthOf, parseRange, whole } from '../../oci/range.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import { type BodyOptions, clientSignal, send } from '../http/body.ts';
import { answer, begin, type Exchange, type Headers, isKnown } from '../http/exchange.ts';
import { sendFile } from '../http/file-body.ts';

interface BlobAnswerOptions {
  readonly blobs: PulledBlobs;
  /** A URL at the store for this client, if the store has one and its network may use it. */
  readonly redirect?: ((blob: OpenedBlob, clientAddress: string) => Promise<string | undefined>) | undefined;
}

/** Status and header fields. */
type Head = readonly [status: number, headers: Headers];

type BlobRequest = Extract<RegistryRequest, { kind: 'blob' }>;

/** end-2: a blob, whole, in parts, or its head (distribution-spec, "Pulling blobs"; RFC 9110). */
export async function answerBlob(
  exchange: Exchange,
  { repository, digest }: BlobRequest,
  { blobs, redirect }: BlobAnswerOptions,
): Promise<void> {
  const { method, headers: asked } = exchange.req;
  const isHeld = isKnown(asked['if-none-match'], digest);
  if (isHeld || method === 'HEAD') return answerHead(exchange, await blobs.stat(repository, digest), isHeld);
  const etag = `"${digest}"`;
  // An `If-Range` that names something else makes the range void (RFC 9110 section 13.1.5).
  const { 'if-range': sameAs = etag } = asked;
  const specs = sameAs === etag ? parseRange(asked.range) : undefined;
  if (specs !== undefined) boundRanges(specs, (await blobs.stat(repository, digest)).descriptor.size);
  const isRead = specs === undefined && redirect === undefined;
  const blob = await blobs.open(repository, digest, { requestId: exchange.requestId, isRead });
  exchange.log.hit = blob.hit;
  const ranges = specs === undefined ? [] : worthwhile(boundRanges(specs, blob.descriptor.size), blob);
  const [range] = ranges;
  if (ranges.length > 1) return sendParts(exchange, blob, ranges);
  const url = await redirect?.(blob, exchange.clientAddress);
  if (url !== undefined) return sendElsewhere(exchange, blob, url);
  return range === undefined ? sendWhole(exchange, blob) : sendPart(exchange, blob, range);
}

function answerHead(exchange: Exchange, { descriptor, hit }: KnownBlob, isHeld: boolean): void {
  exchange.log.hit = hit;
  const headers = blobHeaders(descriptor);
  if (isHeld) answer(exchange, 304, headers);
  else answer(exchange, 200, { ...headers, 'content-length': descriptor.size });
}

/**
 * The parts, unless they overlap so much that they hold more than the blob: then none, which is all
 * of it. Otherwise a small request could ask for a layer a thousand times (RFC 9110 section 14.2).
 */
function worthwhile(ranges: readonly ByteRange[], { descriptor }: OpenedBlob): readonly ByteRange[] {
  return totalOf(ranges) > descriptor.size ? [] : ranges;
}

function totalOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((sum, range) => sum + lengthOf(range), 0);
}

/** Never cached: the URL is signed for minutes. */
function sendElsewhere(exchange: Exchange, { descriptor }: OpenedBlob, location: string): void {
  exchange.log.hit = 'redirect';
  exchange.redirected(descriptor.size);
  const headers = { ...blobHeaders(descriptor), location, 'cache-control': 'no-store', 'content-length': 0 };
  answer(exchange, 307, headers);
}

function sendWhole(exchange: Exchange, blob: OpenedBlob): MaybePromise<void> {
  const headers = { ...blobHeaders(blob.descriptor), 'content-length': blob.descriptor.size };
  if (blob.bytes !== undefined) return answer(exchange, 200, headers, blob.bytes);
  return sendRange(exchange, blob, whole(blob.descriptor), [200, headers]);
}

function sendPart(exchange: Exchange, blob: OpenedBlob, range: ByteRange): Promise<void> {
  const headers = {
    ...blobHeaders(blob.descriptor),
    'content-length': lengthOf(range),
    'content-range': contentRange(range, blob.descriptor),
  };
  return sendRange(exchange, blob, range, [206, headers]);
}

/** From the file of the blob, and where that breaks off, the rest from any of its sources. */
async function sendRange(exchange: Exchange, blob: OpenedBlob, range: ByteRange, head: Head): Promise<void> {
  const signal = clientSignal(exchange.res);
  const told = beginning(exchange, head, blob);
  const file = await blob.openFile?.(range);
  if (file === undefined) return send(exchange.res, blob.read(range, { signal }), told);
  const after = await sendFile(exchange.res, file, { range, signal, ...told });
  if (after !== undefined) await send(exchange.res, blob.read(range, { signal, after }), told);
}

/** Exactly the requested parts, in their order: containers/image counts and trusts them. */
function sendParts(exchange: Exchange, blob: OpenedBlob, ranges: readonly ByteRange[]): Promise<void> {
  const boundary = randomBytes(16).toString('hex');
  const heads = ranges.map((range) => partHead(boundary, range, blob.descriptor));
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const headers = {
    ...blobHeaders(blob.descriptor),
    'content-type': `multipart/byteranges; boundary=${boundary}`,
    'content-length': heads.reduce((sum, head) => sum + head.byteLength, totalOf(ranges) + tail.byteLength),
  };
  const signal = clientSignal(exchange.res);
  async function* parts(): Bytes {
    for (const [index, range] of ranges.entries()) {
      yield heads[index] ?? tail;
      yield* blob.read(range, { signal, follows: true });
    }
    yield tail;
  }
  return send(exchange.res, parts(), beginning(exchange, [206, headers], blob));
}

/**
 * Writes the head with the first byte, or alone where that is late. The blob's source is looked at
 * again then, and with each chunk.
 */
function beginning(exchange: Exchange, [status, headers]: Head, blob: OpenedBlob): Required<BodyOptions> {
  const { res, log, sent } = exchange;
  return {
    begin(isReady) {
      if (res.headersSent) return;
      log.hit = blob.hit;
      begin(exchange, status, headers);
      log.length = Number(headers['content-length']);
      if (!isReady) res.flushHeaders();
    },
    sent(bytes) {
      log.hit = blob.hit;
      sent(bytes);
    },
  };
}

/** What is said of a blob, however it goes out. */
export function blobHeaders({ digest }: Pick<Descriptor, 'digest'>): Headers {
  return {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
    'cache-control': 'max-age=31536000, immutable',
  };
}

function partHead(boundary: string, range: ByteRange, descriptor: Descriptor): Buffer {
  return Buffer.from(
    `\r\n--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: ${contentRange(range, descriptor)}\r\n\r\n`,
  );
}

function contentRange(range: ByteRange, { size }: Descriptor): string {
  return `bytes ${range.start}-${range.end}/${size}`;
}
