import { anySignal, type Clock, fairTimer } from '../../base/time/wait.ts';
import type { Bytes } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { Connection } from '../client/connection.ts';
import {
  discard,
  headerOf,
  type PushRight,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../exchange.ts';
import { isKeptRedirect } from '../http/redirect.ts';
import { TryAgain } from '../resilience/retry.ts';
import { closingUrl, parseUploadLocation } from './upload-location.ts';
import { writeRefusal } from './write-refusal.ts';

/** Where the requests of one upload go. */
export interface UploadWay {
  readonly connection: Connection;
  readonly push: PushRight;
  /** What a registry may take to answer once it has the bytes, milliseconds. */
  readonly commitTimeoutMs: number;
  /** How long a registry may take none of the bytes that wait for it, milliseconds. */
  readonly progressTimeoutMs: number;
  readonly uploadHosts: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/** A blob that is being uploaded (distribution-spec, "Pushing a blob in chunks"). */
export interface Session {
  readonly location: URL;
  /** Bytes that the registry has. */
  readonly offset: number;
  /** `OCI-Chunk-Min-Length`, where the registry wants chunks. */
  readonly minChunkBytes?: number;
}

interface Piece {
  readonly bytes: Bytes;
  /** Undefined where it is unknown. */
  readonly length: number | undefined;
}

/** The registry has no PATCH: the blob goes whole with the closing PUT (end-4b). */
export class PatchUnsupported extends Error {
  override readonly name = 'PatchUnsupported';
  /** False for a 404, which may also be a session that was lost. */
  readonly isSure: boolean;

  constructor(isSure: boolean) {
    super('the registry has no PATCH');
    this.isSure = isSure;
  }
}

/** Time limit of cancelling a session after an abort, milliseconds. */
const cancelMs = 5_000;

const octets = 'application/octet-stream';
const lostSession = 'BLOB_UPLOAD_UNKNOWN';

/** Opens a session (end-4a). */
export async function begun(way: UploadWay): Promise<Session> {
  const ask = uploadAsk(way, 'POST', uploadsUrl(way));
  return way.connection.tried(ask, (answer) => sessionOf(answer, way));
}

/**
 * Asks for a blob of another repository without its bytes (end-11). False where the registry
 * refuses, with whatever status but 429, and then nothing is left behind: a session that it opened
 * instead is cancelled.
 */
export async function mounted(way: UploadWay, digest: Digest, from: Repository): Promise<boolean> {
  const url = uploadsUrl(way);
  url.search = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const right = { ...way, push: { ...way.push, from } };
  const ask = { ...uploadAsk(right, 'POST', url), reads: () => true };
  const session = await way.connection.tried<Session | boolean>(ask, (answer) => {
    if (answer.status === 202) return sessionOf(answer, way);
    discard(answer);
    return answer.status === 201;
  });
  if (typeof session === 'boolean') return session;
  await cancelled(way, session);
  return false;
}

/**
 * Streams bytes into the session (end-5), as a chunk where `isRange`. Resolves to the session as it
 * is then: a registry that took the request has what was sent, whatever its `Range` says, which
 * some leave at the first chunk, at `0-0` or one off. Throws `PatchUnsupported`, and TryAgain when
 * it may have broken off in the middle.
 */
export async function patched(
  way: UploadWay,
  session: Session,
  piece: Piece & { readonly isRange: boolean },
): Promise<Session> {
  const { length, isRange } = piece;
  const range = `${session.offset}-${session.offset + (length ?? 0) - 1}`;
  const headers = isRange && length !== undefined ? { 'content-range': range } : {};
  const { answer, sent, isWhole } = await streamed(way, 'PATCH', session.location, piece, headers);
  if (isKeptRedirect(answer)) {
    discard(answer);
    return { ...session, location: locationOf(answer, way) ?? session.location };
  }
  if (!isTaken(answer)) throw await patchRefusal(answer, session);
  discard(answer);
  if (!isWhole) throw new TryAgain('status', early());
  const location = locationOf(answer, way) ?? session.location;
  return { ...session, location, offset: session.offset + sent };
}

/** Closes the session (end-6) with what is left of the blob, which may be all of it or nothing. */
export async function completed(
  way: UploadWay,
  session: Session,
  digest: Digest,
  rest: Uint8Array,
): Promise<void> {
  const { offset } = session;
  const isRange = offset > 0 && rest.byteLength > 0;
  const answer = await way.connection.once({
    ...uploadAsk(way, 'PUT', closingUrl(session.location, digest)),
    headers: {
      'content-type': octets,
      ...(isRange ? { 'content-range': `${offset}-${offset + rest.byteLength - 1}` } : {}),
    },
    ...(rest.byteLength === 0 ? {} : { body: rest }),
  });
  if (!isTaken(answer)) throw await brokenSession(answer);
  discard(answer);
}

/** Closes a session of which nothing was sent yet with the whole blob. */
export async function completedAtOnce(
  way: UploadWay,
  session: Session,
  digest: Digest,
  whole: Piece,
): Promise<void> {
  const { answer } = await streamed(way, 'PUT', closingUrl(session.location, digest), whole, {});
  if (!isTaken(answer)) throw await brokenSession(answer);
  discard(answer);
}

async function streamed(
  way: UploadWay,
  method: 'PATCH' | 'PUT',
  url: URL,
  { bytes, length }: Piece,
  headers: Readonly<Record<string, string>>,
) {
  const stalled = new AbortController();
  let sent = 0;
  let isOver = false;
  const answer = await way.connection.once({
    ...uploadAsk(way, method, url),
    headers: {
      'content-type': octets,
      ...(length === undefined ? {} : { 'content-length': String(length) }),
      ...headers,
    },
    signal: anySignal(way.signal, stalled.signal),
    body: watched(bytes, way, {
      sent: (byteLength) => {
        sent += byteLength;
      },
      stalled: () => stalled.abort(new TryAgain('network', stall())),
      ended: () => {
        isOver = true;
      },
    }),
  });
  return { answer, sent, isWhole: length === undefined ? isOver : sent === length };
}

/** The session by the registry (end-13); undefined when it is gone or unreliable. */
export async function standing(way: UploadWay, session: Session): Promise<Session | undefined> {
  return way.connection.tried(uploadAsk(way, 'GET', session.location), (answer) => {
    discard(answer);
    const offset = receivedBytes(answer);
    if (!isTaken(answer) || offset === undefined) return undefined;
    return { ...session, location: locationOf(answer, way) ?? session.location, offset };
  });
}

/** Cancels the session (end-14), also after an abort; a registry that refuses expires it itself. */
export async function cancelled(way: UploadWay, session: Session): Promise<void> {
  try {
    const signal = AbortSignal.timeout(cancelMs);
    discard(await way.connection.once({ ...uploadAsk(way, 'DELETE', session.location), signal }));
  } catch {
    // As above.
  }
}

/** The same bytes. The clock runs while the registry has a chunk: a slow source is no silence. */
async function* watched(
  bytes: Bytes,
  { progressTimeoutMs, clock }: Pick<UploadWay, 'progressTimeoutMs' | 'clock'>,
  tell: { sent(byteLength: number): void; stalled(): void; ended(): void },
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    tell.sent(chunk.byteLength);
    using _timer = fairTimer(tell.stalled, progressTimeoutMs, clock);
    yield chunk;
  }
  tell.ended();
}

function uploadsUrl({ connection, push }: UploadWay): URL {
  return connection.urlOf(`/v2/${push.repository}/blobs/uploads/`);
}

function uploadAsk(
  { push, signal, commitTimeoutMs }: UploadWay,
  method: UpstreamRequest['method'],
  url: URL,
): UpstreamRequest {
  const isLong = method === 'PATCH' || method === 'PUT';
  return {
    kind: 'upload',
    method,
    url,
    push,
    ...(isLong ? { firstByteTimeoutMs: commitTimeoutMs } : {}),
    ...(signal === undefined ? {} : { signal }),
  };
}

async function sessionOf(answer: UpstreamResponse, way: UploadWay): Promise<Session> {
  if (answer.status !== 202) throw await writeRefusal(answer, 'BLOB_UPLOAD_INVALID');
  discard(answer);
  const location = locationOf(answer, way);
  if (location === undefined) {
    throw new RegistryError('UPSTREAM_INVALID', 'the registry opens an upload without a Location');
  }
  const minimum = headerOf(answer, 'oci-chunk-min-length') ?? '';
  return {
    location,
    offset: 0,
    ...(/^[1-9]\d{0,11}$/.test(minimum) ? { minChunkBytes: Number(minimum) } : {}),
  };
}

function locationOf(answer: UpstreamResponse, { connection, uploadHosts }: UploadWay): URL | undefined {
  const text = headerOf(answer, 'location');
  if (text === undefined) return undefined;
  return parseUploadLocation(text, answer.url, { upstream: connection.urlOf('/v2/'), uploadHosts });
}

/** The number of bytes that arrived, by `Range`. Some say `0-0` for none, some add `bytes=`. */
function receivedBytes(answer: UpstreamResponse): number | undefined {
  const last = /^(?:bytes=)?0-(-1|\d{1,15})$/.exec(headerOf(answer, 'range') ?? '')?.[1];
  if (last === undefined) return undefined;
  return Number(last) <= 0 ? 0 : Number(last) + 1;
}

function isTaken({ status }: UpstreamResponse): boolean {
  return status >= 200 && status < 300;
}

/** A refusal of PATCH itself: 405, 501, or a plain 404 to the first bytes of a new session. */
async function patchRefusal(answer: UpstreamResponse, { offset }: Session): Promise<Error> {
  const refusal = await brokenSession(answer);
  const { code, detail } = refusal instanceof TryAgain ? refusal.refusal : refusal;
  const isUnknown = answer.status === 404 && offset === 0 && detail?.['upstreamCode'] !== lostSession;
  const isUnsupported = answer.status === 501 || (answer.status === 405 && code === 'UNSUPPORTED');
  return isUnknown || isUnsupported ? new PatchUnsupported(isUnsupported) : refusal;
}

/** A lost or out-of-step session or an expired token is worth a retry; other refusals are final. */
async function brokenSession(answer: UpstreamResponse): Promise<TryAgain | RegistryError> {
  const refusal = await writeRefusal(answer, 'BLOB_UPLOAD_INVALID');
  const isPassing = answer.status === 404 || answer.status === 416 || answer.status === 401;
  return isPassing ? new TryAgain('status', refusal) : refusal;
}

function early(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the registry answered an upload before it had all bytes');
}

function stall(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the registry stopped reading an upload');
}
