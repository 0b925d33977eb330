import { anySignal } from '../../base/time/wait.ts';
import type { Descriptor } from '../../oci/content.ts';
import { algorithmOf, type Digest, isDigest, isOfNothing } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { BlobOptions, Cancellable, OpenBlob } from '../../oci/registry-reader.ts';
import {
  contentLength,
  discard,
  headerOf,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../exchange.ts';
import { refusedBy } from '../resilience/retry.ts';
import type { Connection } from './connection.ts';
import { type BodyPart, type ResumeSettings, resumedBytes } from './resume.ts';

export interface BlobSettings extends ResumeSettings {
  readonly ignoredRange: () => void;
}

interface OpenedPart extends BodyPart {
  /** Of the whole blob. */
  readonly size: number | undefined;
}

/**
 * The size of a blob by HEAD, or, where a registry answers HEAD with 401, 403 or 405, without a
 * length or with one of 0 that cannot be, by asking for one byte of it.
 */
export async function statBlob(
  connection: Connection,
  repository: Repository,
  digest: Digest,
  { signal }: Cancellable = {},
): Promise<Descriptor | undefined> {
  const head = blobAsk(connection, repository, digest, signal);
  const stated = await connection.tried({ ...head, method: 'HEAD' }, (answer) => {
    if (answer.status === 404 && answer.isOfStorage !== true) return 'absent';
    return answer.status === 200 && isContent(answer, digest) ? statedLength(answer, digest) : undefined;
  });
  if (stated === 'absent') return undefined;
  if (stated !== undefined) return { digest, size: stated };
  return probeBlob(connection, repository, digest, signal === undefined ? {} : { signal });
}

/** The same by asking for one byte, where HEAD is not to be relied on. */
export async function probeBlob(
  connection: Connection,
  repository: Repository,
  digest: Digest,
  { signal }: Cancellable = {},
): Promise<Descriptor | undefined> {
  const probe = { ...blobAsk(connection, repository, digest, signal), headers: { range: 'bytes=0-0' } };
  const size = await connection.tried(probe, (answer) => probedSize(answer, digest));
  return size === undefined ? undefined : { digest, size };
}

/** Of coded bytes the length says nothing; some registries state 0 for every HEAD. */
function statedLength(answer: UpstreamResponse, digest: Digest): number | undefined {
  const length = contentLength(answer);
  return isCoded(answer) || (length === 0 && !isOfNothing(digest)) ? undefined : length;
}

interface OpenOptions extends BlobOptions {
  readonly settings: BlobSettings;
}

/** Opens a blob, or a part of it; see Upstream.openBlob. */
export function openBlob(
  connection: Connection,
  repository: Repository,
  digest: Digest,
  options: OpenOptions,
): Promise<OpenBlob | undefined> {
  return openAsked(connection, blobAsk(connection, repository, digest, undefined), digest, options);
}

/** The same for a question that leads to the blob in another way; 404 is undefined here too. */
export async function openAsked(
  connection: Connection,
  question: UpstreamRequest,
  digest: Digest,
  options: OpenOptions,
): Promise<OpenBlob | undefined> {
  const { start = 0, end, settings } = options;
  const closing = new AbortController();
  const signal = anySignal(options.signal, closing.signal);
  const ask = { ...question, signal, isDownload: true };
  const wanted = { digest, isPart: start > 0 || end !== undefined, settings };
  const first = await connection.tried(rangeAsk(ask, start, end), (answer) =>
    openedOrRefused(answer, start, wanted),
  );
  if (first === undefined) return undefined;
  const { size } = first;
  const last = end ?? (size === undefined ? undefined : size - 1);
  const reopen = async (position: number): Promise<BodyPart> => {
    const part = await openedOrRefused(
      await connection.once(rangeAsk(ask, position, last)),
      position,
      wanted,
    );
    if (part === undefined) throw invalid('the upstream answered 404 while a blob was being resumed');
    if (size === undefined || part.size === undefined || part.size === size) return part;
    part.body.destroy();
    throw invalid('the upstream states another size for a blob than before');
  };
  return {
    size,
    body: resumedBytes(first, { ...settings, start, end: last, reopen, signal }),
    close() {
      closing.abort(new RegistryError('UNAVAILABLE', 'the blob was closed'));
      first.body.destroy();
    },
  };
}

interface WantedRange {
  readonly digest: Digest;
  /** Less than the whole, so that no digest can tell whether it is right. */
  readonly isPart: boolean;
  readonly settings: BlobSettings;
}

async function openedOrRefused(
  answer: UpstreamResponse,
  position: number,
  range: WantedRange,
): Promise<OpenedPart | undefined> {
  const { status } = answer;
  if (status === 200 || status === 206) return openedPart(answer, position, range);
  if (status !== 404 && status !== 416) throw await refusedBy(answer);
  discard(answer);
  if (status === 416) throw invalid('the blob is shorter than the upstream stated');
  return undefined;
}

function openedPart(
  answer: UpstreamResponse,
  position: number,
  { digest, isPart, settings }: WantedRange,
): OpenedPart {
  const { body, status } = answer;
  if (!isContent(answer, digest) || (isPart && isCoded(answer))) {
    body.destroy();
    throw invalid('the upstream answered with encoded content, or with something other than the blob');
  }
  if (status === 206) return { body, start: position, size: totalSize(answer, position) };
  if (position > 0) settings.ignoredRange();
  return { body, start: 0, size: contentLength(answer) };
}

/** The whole size, from a `Content-Range` (RFC 9110 section 14.4) that begins where we asked. */
function totalSize(answer: UpstreamResponse, position: number): number | undefined {
  const match = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(headerOf(answer, 'content-range') ?? '');
  if (match !== null && Number(match[1]) === position) return match[2] === '*' ? undefined : Number(match[2]);
  answer.body.destroy();
  throw invalid('the upstream answered with another range than requested');
}

async function probedSize(answer: UpstreamResponse, digest: Digest): Promise<number | undefined> {
  const { status } = answer;
  if (status !== 200 && status !== 206 && status !== 404 && status !== 416) throw await refusedBy(answer);
  discard(answer);
  if (status === 404) return undefined;
  const emptyOrTotal = /\/(\d{1,15})$/.exec(headerOf(answer, 'content-range') ?? '')?.[1];
  const size = status === 200 ? contentLength(answer) : emptyOrTotal;
  if (size === undefined || !isContent(answer, digest) || isCoded(answer))
    throw invalid('the upstream does not state the size of a blob');
  return Number(size);
}

/** False for what is surely not the blob: another digest, or a page of some portal on the way. */
export function isContent(answer: UpstreamResponse, digest: Digest): boolean {
  const stated = headerOf(answer, 'docker-content-digest');
  const isPage = stated === undefined && /^text\/html\b/i.test(headerOf(answer, 'content-type') ?? '');
  const isOther =
    stated !== undefined &&
    isDigest(stated) &&
    algorithmOf(stated) === algorithmOf(digest) &&
    stated !== digest;
  return !isPage && !isOther;
}

/**
 * True where a coding is named. We ask for none, so it is mostly a web server's word for what a
 * layer is anyway, and the bytes are right; whether they are, the digest of the whole tells.
 */
function isCoded(answer: UpstreamResponse): boolean {
  return (headerOf(answer, 'content-encoding') ?? 'identity').toLowerCase() !== 'identity';
}

function blobAsk(
  connection: Connection,
  repository: Repository,
  digest: Digest,
  signal: AbortSignal | undefined,
): UpstreamRequest {
  const url = connection.urlOf(`/v2/${repository}/blobs/${digest}`);
  return { kind: 'blob', method: 'GET', url, ...(signal === undefined ? {} : { signal }) };
}

function rangeAsk(ask: UpstreamRequest, start: number, end: number | undefined): UpstreamRequest {
  if (start === 0 && end === undefined) return ask;
  return { ...ask, headers: { range: `bytes=${start}-${end ?? ''}` } };
}

function invalid(message: string): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', message);
}
