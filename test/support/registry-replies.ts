import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { Digest } from '../../src/oci/digest.ts';
import { boundRanges, parseRange } from '../../src/oci/range.ts';
import type { DoubleState, RecordedRequest } from './registry-double.ts';
import type { Cut } from './registry-misbehaviours.ts';

/** One request under way. */
export interface Reply {
  readonly state: DoubleState;
  readonly record: RecordedRequest;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Served {
  readonly kind: 'manifest' | 'blob';
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** Answers with a JSON body. */
export function answerJson(
  { record, response, state }: Reply,
  status: number,
  body: unknown,
  mediaType = 'application/json',
): void {
  const text = JSON.stringify(body);
  record.status = status;
  record.bytesSent = text.length;
  if (state.switches.warning !== undefined) response.setHeader('warning', state.switches.warning);
  response.writeHead(status, { 'content-type': mediaType, 'content-length': text.length });
  response.end(record.method === 'HEAD' ? undefined : text);
}

/** Answers with the error body of the distribution spec. */
export function refuse(reply: Reply, status: number, code: string, message: string): void {
  const { refusesInHtml, retryAfter } = reply.state.switches;
  if (retryAfter !== undefined) reply.response.setHeader('retry-after', retryAfter);
  if (refusesInHtml === true) answerHtml(reply, status);
  else answerJson(reply, status, { errors: [{ code, message, detail: {} }] });
}

/** Answers with a manifest or a blob, as the switches say. */
export function answerContent(reply: Reply, served: Served) {
  const { record, response, state } = reply;
  const { switches } = state;
  const etag = `"${served.digest}"`;
  if (served.kind === 'manifest' && reply.request.headers['if-none-match'] === etag) {
    record.status = 304;
    response.writeHead(304, { etag }).end();
    return;
  }
  const { body, status, range } = partOf(reply, served);
  record.status = status;
  response.writeHead(status, { ...headersOf(reply, served, etag), ...range, ...lengthOf(reply, body) });
  if (record.method === 'HEAD') response.end();
  else sendBody(reply, switches.servesWrongBytes === true ? altered(body) : body, served.kind === 'blob');
}

function partOf({ request, state }: Reply, { kind, bytes: stored }: Served) {
  const bytes = state.switches.gzips === true ? gzipSync(stored) : stored;
  const whole = { body: bytes, status: 200, range: {} };
  const specs = kind === 'blob' ? parseRange(request.headers.range) : undefined;
  if (specs === undefined || state.switches.ignoresRange === true) return whole;
  const [range] = boundRanges(specs, bytes.length);
  if (range === undefined) return whole;
  return {
    body: bytes.subarray(range.start, range.end + 1),
    status: 206,
    range: { 'content-range': `bytes ${range.start}-${range.end}/${bytes.length}` },
  };
}

function headersOf({ state: { switches } }: Reply, served: Served, etag: string): Record<string, string> {
  const digest = switches.liesAboutDigest === true ? `sha256:${'0'.repeat(64)}` : served.digest;
  const isManifest = served.kind === 'manifest';
  return {
    'content-type': (isManifest ? switches.wrongMediaType : undefined) ?? served.mediaType,
    ...(switches.omitsDigestHeader === true ? {} : { 'docker-content-digest': digest }),
    ...(isManifest && switches.omitsEtag !== true ? { etag } : {}),
    ...(isManifest && switches.warning !== undefined ? { warning: switches.warning } : {}),
    ...(switches.gzips === true ? { 'content-encoding': 'gzip' } : {}),
    ...(switches.contentEncoding === undefined ? {} : { 'content-encoding': switches.contentEncoding }),
  };
}

function lengthOf({ record, state: { switches } }: Reply, body: Buffer): Record<string, string> {
  if (switches.chunked === true) return record.method === 'HEAD' ? { 'transfer-encoding': 'chunked' } : {};
  if (switches.statesNoLength === true && record.method === 'HEAD') return { 'content-length': '0' };
  const length = body.length + (switches.liesAboutLength === true ? 10 : 0);
  return { 'content-length': `${length}` };
}

/** Answers like a portal on the way. */
export function answerHtml({ record, response }: Reply, status = 200): void {
  const page = '<!doctype html><title>Welcome</title><p>Please accept the terms.';
  record.status = status;
  record.bytesSent = page.length;
  response.writeHead(status, { 'content-type': 'text/html', 'content-length': page.length });
  response.end(record.method === 'HEAD' ? undefined : page);
}

function altered(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  const middle = copy.length >> 1;
  if (copy.length > 0) copy[middle] = (copy[middle] ?? 0) ^ 1;
  return copy;
}

function sendBody(reply: Reply, body: Buffer, isBlob: boolean): void {
  const { switches } = reply.state;
  const drop = isBlob ? taken(switches.dropsAfter, body) : undefined;
  const stall = isBlob ? taken(switches.stallsAfter, body) : undefined;
  const cut = drop ?? stall;
  const end = () => {
    if (drop !== undefined || switches.liesAboutLength === true) reply.response.destroy();
    else if (stall === undefined) reply.response.end();
  };
  const shown = cut === undefined ? body : body.subarray(0, cut);
  pour(reply, shown, isBlob ? switches.bytesPerSecond : undefined, end);
}

function taken(cut: Cut | undefined, body: Buffer): number | undefined {
  if (cut === undefined || cut.times <= 0 || cut.bytes >= body.length) return undefined;
  cut.times -= 1;
  return cut.bytes;
}

/** Writes piece by piece, each one after the socket took the last. */
function pour(reply: Reply, body: Buffer, bytesPerSecond: number | undefined, end: () => void): void {
  const { record, response } = reply;
  const pieceBytes = bytesPerSecond === undefined ? 256 * 1024 : Math.max(1, Math.floor(bytesPerSecond / 50));
  const next = (offset: number) => {
    if (response.destroyed) return;
    if (offset >= body.length) return end();
    const piece = body.subarray(offset, offset + pieceBytes);
    response.write(piece, (error) => {
      if (error !== undefined && error !== null) return;
      record.bytesSent += piece.length;
      if (bytesPerSecond === undefined) return next(offset + piece.length);
      setTimeout(next, 20, offset + piece.length);
    });
  };
  if (body.length === 0) response.flushHeaders();
  next(0);
}
