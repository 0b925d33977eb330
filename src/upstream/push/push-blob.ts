import { defined } from '../../base/text/defined.ts';
import { backoffMs } from '../../base/time/backoff.ts';
import { sleep } from '../../base/time/wait.ts';
import { collected, type Descriptor } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';
import { pauseAfter, TryAgain } from '../resilience/retry.ts';
import { unconfirmed } from './seen.ts';
import type { SentBytes } from './sent-bytes.ts';
import { smallerPiece, type UploadManners } from './upload-manners.ts';
import {
  begun,
  cancelled,
  completed,
  completedAtOnce,
  PatchUnsupported,
  patched,
  type Session,
  standing,
  type UploadWay,
} from './uploads.ts';

interface PushSettings {
  /** A blob up to this size goes with the closing request, which saves one; in memory, bytes. */
  readonly smallBytes: number;
  /** The size of chunks for a registry that wants them, bytes; never below its own minimum. */
  readonly chunkBytes: number;
  /** Tries without one new byte at the registry in between. */
  readonly resumes: number;
  /** How many of these, with the first, may send bytes in vain; a 429 does not count. */
  readonly sends: number;
  readonly longestWaitSeconds: number;
  /** What all uploads to this registry share. */
  readonly manners: UploadManners;
  readonly random: () => number;
  readonly resumed: () => void;
  /** Whether the registry has the blob: an upload without an answer may have succeeded. */
  readonly isThere: () => Promise<boolean>;
  /** The same, for a registry that shows accepted content only after some seconds. */
  readonly isConfirmed: () => Promise<boolean>;
}

/** The second send waits a random part of this, each next of four times as much, ms. */
const resendPauses = { firstMs: 1_000, factor: 4, jitter: 1 };

/** A smaller piece than this is not suspected of being too large, bytes. */
const leastSuspectBytes = 8 * 1024 * 1024;

/** Redirects of the bytes of one session that are followed. */
const mostMoves = 5;

const nothing = new Uint8Array();

/** What the registry answers to an upload that was taken up again but does not fit together. */
const spoiled: ReadonlySet<string> = new Set([
  'BLOB_UPLOAD_INVALID',
  'DIGEST_INVALID',
  'RANGE_INVALID',
  'SIZE_INVALID',
]);

/**
 * One upload: what is sent, how far it came, and the session that is open. It begins with what is
 * known of the registry's ways, and learns by itself what is true of this blob alone.
 */
interface Push extends UploadManners {
  readonly way: UploadWay;
  readonly descriptor: Descriptor;
  readonly bytes: SentBytes;
  readonly settings: PushSettings;
  /** All of a small blob. */
  whole?: Uint8Array | undefined;
  session?: Session | undefined;
  /** The furthest byte that any session reached. */
  best: number;
  /** The size of the last sent piece, if known, bytes. */
  pieceBytes: number;
  failures: number;
  /** Failures that cost bytes. */
  vain: number;
  isResumed: boolean;
  /** The last try's failure, until its session was checked. */
  broken?: RegistryError | undefined;
}

/**
 * Uploads a blob over as many connections and sessions as needed, resuming at the registry's byte
 * while it advances, and checks that the registry has it. Rejects with the last refusal, the
 * session cancelled; permanently when all of `sends` were in vain.
 */
export async function pushBlob(
  way: UploadWay,
  descriptor: Descriptor,
  bytes: SentBytes,
  settings: PushSettings,
): Promise<void> {
  const counters = { best: 0, pieceBytes: 0, failures: 0, vain: 0, isResumed: false };
  const push: Push = { way, descriptor, bytes, settings, ...settings.manners, ...counters };
  try {
    push.whole = await wholeOfSmall(push);
    while (!(await isUploaded(push))) push.settings.resumed();
  } catch (error) {
    if (push.session !== undefined) await cancelled(way, push.session);
    throw error;
  } finally {
    bytes.close();
  }
}

/** Read before anything is begun: a source that fails costs no session. */
async function wholeOfSmall({ descriptor, bytes, settings }: Push): Promise<Uint8Array | undefined> {
  const { smallBytes } = settings;
  const isSmall = descriptor.size >= 0 && descriptor.size <= smallBytes;
  return isSmall ? collected(bytes.from(0), smallBytes) : undefined;
}

/** One try; false when another one may help, which then begins where this one left off. */
async function isUploaded(push: Push): Promise<boolean> {
  try {
    if (await isThereAlready(push)) return true;
    push.session ??= await begun(push.way);
    await sent(push, push.session);
    push.session = undefined;
    if (!(await push.settings.isConfirmed())) throw new TryAgain('status', unconfirmed());
    return true;
  } catch (error) {
    push.way.signal?.throwIfAborted();
    if (error instanceof PatchUnsupported) return withoutPatch(push, error);
    push.broken = passingRefusal(error, push);
    await pauseBefore(push, push.broken);
    return false;
  }
}

/** From now on this blob, and each later one where that is sure, goes whole with its PUT. */
async function withoutPatch(push: Push, { isSure }: PatchUnsupported): Promise<false> {
  push.takesPatch = false;
  if (isSure) push.settings.manners.takesPatch = false;
  await leave(push);
  return false;
}

/** The next try is to begin a session of its own. */
async function leave(push: Push): Promise<void> {
  const { session } = push;
  push.session = undefined;
  push.isResumed = false;
  if (session !== undefined) await cancelled(push.way, session);
}

/** Checks a broken session; if it is gone, its last request may have completed it. */
async function isThereAlready(push: Push): Promise<boolean> {
  const { broken, session, settings } = push;
  if (broken === undefined) return false;
  if (session !== undefined) push.session = await resumed(push, session, broken);
  push.broken = undefined;
  return push.session === undefined && settings.isThere();
}

async function sent(push: Push, begunSession: Session): Promise<void> {
  const { way, bytes, whole, descriptor } = push;
  let session = begunSession;
  if (whole !== undefined) {
    return completed(way, session, descriptor.digest, whole.subarray(session.offset));
  }
  if (!push.takesPatch) {
    push.pieceBytes = bytes.size ?? 0;
    return completedAtOnce(way, session, descriptor.digest, { bytes: bytes.from(0), length: bytes.size });
  }
  for (let moves = 0; session.offset !== bytes.size; ) {
    const next = await patched(way, session, pieceOf(push, session));
    push.session = next;
    if (next.offset === session.offset && next.offset !== bytes.size) moves += 1;
    if (moves > mostMoves) throw moved();
    session = next;
  }
  await completed(way, session, descriptor.digest, nothing);
}

/** The rest; or the next chunk, for a registry that asked for chunks or refused more. */
function pieceOf(push: Push, { offset, minChunkBytes }: Session) {
  const { bytes, settings, mostBytes } = push;
  const chunkBytes = minChunkBytes === undefined ? mostBytes : Math.min(settings.chunkBytes, mostBytes);
  const pieceBytes = Math.max(minChunkBytes ?? 1, chunkBytes);
  const length = bytes.size === undefined ? undefined : Math.min(pieceBytes, bytes.size - offset);
  push.pieceBytes = length ?? 0;
  return {
    bytes: bytes.from(offset, length),
    length,
    isRange: minChunkBytes !== undefined || offset > 0 || length !== bytes.size,
  };
}

/** The session to continue. A lost or corrupted one is replaced by a new one. */
async function resumed(push: Push, session: Session, refusal: RegistryError): Promise<Session | undefined> {
  const { way, bytes } = push;
  const isSpoiled = spoiled.has(refusal.code) && push.isResumed;
  const isOver = isSpoiled || !push.takesPatch;
  const found = isOver ? undefined : await standing(way, session);
  if (found === undefined || found.offset > bytes.seen) {
    if (isOver || found !== undefined) await leave(push);
    push.isResumed = false;
    return undefined;
  }
  if (found.offset > push.best) {
    push.best = found.offset;
    push.failures = 0;
    push.vain = 0;
  }
  // Even where nothing is said to have arrived: some say that whatever they hold.
  push.isResumed = true;
  return found;
}

/** The refusal of a failed try that another one may get past; throws what is final. */
function passingRefusal(error: unknown, push: Push): RegistryError {
  const { settings, session, isResumed } = push;
  const refusal = error instanceof TryAgain ? error.refusal : error;
  if (!(refusal instanceof RegistryError) || refusal === push.bytes.failure) throw refusal;
  if (isTooLarge(refusal) && isShrunk(push)) {
    settings.manners.mostBytes = Math.min(settings.manners.mostBytes, push.mostBytes);
    return refusal;
  }
  const isSpoiled = isResumed && spoiled.has(refusal.code);
  const isHeld = session !== undefined && isHeldBack(refusal);
  if (!(error instanceof TryAgain) && !isSpoiled && !isHeld) throw refusal;
  push.failures += 1;
  if (isSpoiled || (error instanceof TryAgain && refusal.code !== 'TOOMANYREQUESTS')) push.vain += 1;
  if (push.vain >= settings.sends) throw sentInVain(refusal, settings.sends);
  if (push.failures > settings.resumes && !isSpoiled) throw refusal;
  if (error instanceof TryAgain && error.reason === 'network' && push.vain > 1) suspectSize(push);
  return refusal;
}

/**
 * A proxy that answers 413 and closes at once may do so before we read its answer: a large piece
 * that broke off twice without one byte kept is tried smaller, for this blob alone.
 */
function suspectSize(push: Push): void {
  if (push.pieceBytes > leastSuspectBytes) isShrunk(push);
}

/** Whether there is a smaller piece to try, which the next one then is. */
function isShrunk(push: Push): boolean {
  if (!push.takesPatch || push.whole !== undefined) return false;
  const least = push.session?.minChunkBytes ?? 0;
  const next = smallerPiece(push.pieceBytes, push.settings.chunkBytes);
  if (next === undefined || push.pieceBytes <= least) return false;
  push.mostBytes = next;
  return true;
}

function isTooLarge({ detail }: RegistryError): boolean {
  return detail?.['upstreamStatus'] === 413;
}

/** By the breaker, a limit, or used-up retries of a small request: keep what has arrived. */
function isHeldBack({ code }: RegistryError): boolean {
  return code === 'TOOMANYREQUESTS' || code === 'UNAVAILABLE';
}

async function pauseBefore({ failures, vain, settings, way }: Push, refusal: RegistryError): Promise<void> {
  const { random, longestWaitSeconds } = settings;
  const pauseMs = pauseAfter(failures - 1, refusal.retryAfterSeconds, random, longestWaitSeconds);
  if (pauseMs === undefined) throw refusal;
  const resendMs = vain === 0 ? 0 : backoffMs(vain - 1, { ...resendPauses, random });
  await sleep(Math.max(pauseMs, resendMs), way.signal);
}

function sentInVain(refusal: RegistryError, sends: number): RegistryError {
  const { code, message, detail, cause, retryAfterSeconds } = refusal;
  return new RegistryError(code, `${message}: it was sent ${sends} times`, {
    ...defined({ detail, retryAfterSeconds }),
    cause,
    retry: 'later',
  });
}

function moved(): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', 'the registry redirects the bytes of an upload too often');
}
