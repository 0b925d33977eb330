import { collected, type Descriptor } from '../oci/content.ts';
import { RegistryError } from '../oci/errors.ts';
import { pauseAfter, TryAgain } from './retry.ts';
import type { SentBytes } from './sent-bytes.ts';
import { begun, cancelled, completed, patched, type Session, standing, type UploadWay } from './uploads.ts';
import { pause } from './waiting.ts';

export interface PushSettings {
  /** A blob of up to this size goes with the request that ends its upload, which saves one; it is held in memory, bytes. */
  readonly smallBytes: number;
  /** The size of chunks for a registry that wants them, bytes; never below its own minimum. */
  readonly chunkBytes: number;
  /** Tries without one new byte at the registry in between. */
  readonly resumes: number;
  /** Of these, with the first one, how many may send bytes in vain; one that was answered 429 does not count. */
  readonly sends: number;
  readonly longestWaitSeconds: number;
  readonly random: () => number;
  /** Told of each new try. */
  readonly resumed: () => void;
  /** Whether the registry has the blob, as an upload whose end nobody heard may have ended well. */
  readonly isThere: () => Promise<boolean>;
  /** The same, for a registry that may need a moment to show what it took. */
  readonly isConfirmed: () => Promise<boolean>;
}

/** A second send waits a random part of this and each next one of four times as much, for a registry to recover, milliseconds. */
const firstResendPauseMs = 1_000;

const nothing = new Uint8Array();

/** What the registry answers to an upload that was taken up again but does not fit together. */
const spoiled: ReadonlySet<string> = new Set([
  'BLOB_UPLOAD_INVALID',
  'DIGEST_INVALID',
  'RANGE_INVALID',
  'SIZE_INVALID',
]);

/** One upload: what is sent, how far it came, and the session that is open. */
interface Push {
  readonly way: UploadWay;
  readonly descriptor: Descriptor;
  readonly bytes: SentBytes;
  readonly settings: PushSettings;
  /** All of a small blob. */
  whole?: Uint8Array | undefined;
  session?: Session | undefined;
  /** The furthest byte that any session reached. */
  best: number;
  failures: number;
  /** Failures that cost bytes. */
  vain: number;
  isResumed: boolean;
  /** What the last try failed with, as long as nobody looked what became of its session. */
  broken?: RegistryError | undefined;
}

/**
 * Uploads a blob through as many broken connections and lost sessions as it takes, going on at the byte that the registry
 * has, as long as there are new ones, and looks whether the registry has it in the end. Rejects with the last refusal, the
 * session cancelled; it lasts when all of `sends` were in vain.
 */
export async function pushBlob(
  way: UploadWay,
  descriptor: Descriptor,
  bytes: SentBytes,
  settings: PushSettings,
): Promise<void> {
  const push: Push = { way, descriptor, bytes, settings, best: 0, failures: 0, vain: 0, isResumed: false };
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
    push.broken = passingRefusal(error, push);
    await pauseBefore(push, push.broken);
    return false;
  }
}

/** Looks what became of a session that broke; where it is gone, its last request may have done it all the same. */
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
  while (session.offset !== bytes.size) {
    const next = await patched(way, session, pieceOf(push, session));
    if (next.offset > bytes.seen) throw invented();
    if (next.offset <= session.offset && next.offset !== bytes.size) throw new TryAgain('status', stuck());
    session = next;
    push.session = next;
  }
  await completed(way, session, descriptor.digest, nothing);
}

/** All that is left; or the next chunk, for a registry that asked for chunks. */
function pieceOf({ bytes, settings }: Push, { offset, minChunkBytes }: Session) {
  const chunkBytes =
    minChunkBytes === undefined ? Number.POSITIVE_INFINITY : Math.max(minChunkBytes, settings.chunkBytes);
  const length = bytes.size === undefined ? undefined : Math.min(chunkBytes, bytes.size - offset);
  return {
    bytes: bytes.from(offset, length),
    length,
    isRange: minChunkBytes !== undefined || offset > 0,
  };
}

/** The session to go on with. One that the registry lost, or spoiled as it was taken up again, is left for a new one. */
async function resumed(push: Push, session: Session, refusal: RegistryError): Promise<Session | undefined> {
  const { way, bytes } = push;
  const isSpoiled = spoiled.has(refusal.code) && push.isResumed;
  const found = isSpoiled ? undefined : await standing(way, session);
  if (found === undefined || found.offset > bytes.seen) {
    if (isSpoiled || found !== undefined) await cancelled(way, session);
    push.isResumed = false;
    return undefined;
  }
  if (found.offset > push.best) {
    push.best = found.offset;
    push.failures = 0;
    push.vain = 0;
  }
  push.isResumed = found.offset > 0;
  return found;
}

/** The refusal of a failed try that another one may get past; throws what is final. */
function passingRefusal(error: unknown, push: Push): RegistryError {
  const { settings, session, isResumed } = push;
  const refusal = error instanceof TryAgain ? error.refusal : error;
  if (!(refusal instanceof RegistryError) || refusal === push.bytes.failure) throw refusal;
  const isSpoiled = isResumed && spoiled.has(refusal.code);
  const isHeld = session !== undefined && isHeldBack(refusal);
  if (!(error instanceof TryAgain) && !isSpoiled && !isHeld) throw refusal;
  push.failures += 1;
  if (isSpoiled || (error instanceof TryAgain && refusal.code !== 'TOOMANYREQUESTS')) push.vain += 1;
  if (push.vain >= settings.sends) throw sentInVain(refusal, settings.sends);
  if (push.failures > settings.resumes && !isSpoiled) throw refusal;
  return refusal;
}

/** By the breaker or a limit of ours, or after all tries of one small request: no reason to give up what has arrived. */
function isHeldBack({ code }: RegistryError): boolean {
  return code === 'TOOMANYREQUESTS' || code === 'UNAVAILABLE';
}

async function pauseBefore({ failures, vain, settings, way }: Push, refusal: RegistryError): Promise<void> {
  const { random, longestWaitSeconds } = settings;
  const pauseMs = pauseAfter(failures - 1, refusal.retryAfterSeconds, random, longestWaitSeconds);
  if (pauseMs === undefined) throw refusal;
  const resendMs = vain === 0 ? 0 : random() * firstResendPauseMs * 4 ** (vain - 1);
  await pause(Math.max(pauseMs, resendMs), way.signal);
}

function sentInVain(refusal: RegistryError, sends: number): RegistryError {
  const { code, message, detail, cause, retryAfterSeconds } = refusal;
  return new RegistryError(code, `${message}: it was sent ${sends} times`, {
    ...(detail === undefined ? {} : { detail }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    cause,
    lasts: true,
  });
}

/** What the registry took and does not have. */
export function unconfirmed(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the registry said that it took the content, but does not have it');
}

function stuck(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the registry took none of the bytes it was sent');
}

function invented(): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', 'the registry says that it has more bytes than it was sent');
}
