import type { Semaphore } from '../../base/flow/semaphore.ts';
import { type Bytes, collected } from '../../oci/content.ts';
import type { Bucket } from './bucket/s3-bucket.ts';
import type { Upload, UploadedPart, Uploads } from './bucket/s3-uploads.ts';

interface PutTarget {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
  readonly signal?: AbortSignal;
}

const mib = 1024 * 1024;
const mostParts = 10_000;
/** Manifests and configs never wait for room behind large blobs. */
const smallBytes = 64 * 1024;

/** The size of a blob's parts, in bytes: the least for 10,000 parts, at least `leastBytes`. */
export function partBytesOf(size: number, leastBytes: number): number {
  return Math.max(leastBytes, Math.ceil(size / mostParts / mib) * mib);
}

/** Sends verified bytes by one call, once all of them are here. */
export async function putWhole(
  bucket: Bucket,
  room: Semaphore,
  bytes: Bytes,
  target: PutTarget,
): Promise<void> {
  const release = target.size > smallBytes ? await room.acquire(target.signal) : () => {};
  try {
    await bucket.put(target.key, await collected(bytes, target.size), target);
  } finally {
    release();
  }
}

/**
 * Sends verified bytes in parts as they come. The last call makes the object visible, and is made
 * only after the bytes have ended well. `running` holds the upload's id while it is ours.
 */
export async function putInParts(
  uploads: Uploads,
  room: Semaphore,
  bytes: Bytes,
  target: PutTarget & { readonly partBytes: number },
  running: Set<string>,
): Promise<void> {
  const failed = new AbortController();
  const signal = target.signal ? AbortSignal.any([failed.signal, target.signal]) : failed.signal;
  const upload = await uploads.start(target.key, { signal, contentType: target.contentType });
  running.add(upload.id);
  const sent: Promise<UploadedPart>[] = [];
  try {
    for await (const part of parts(bytes, target, room, signal)) {
      const sending = sendPart(uploads, upload, sent.length + 1, part, signal);
      sending.catch((error: unknown) => failed.abort(error));
      sent.push(sending);
    }
    await uploads.complete(upload, await Promise.all(sent), { signal });
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(sent);
    await uploads.abort(upload).catch(() => {});
    throw error;
  } finally {
    running.delete(upload.id);
  }
}

interface UploadPart {
  readonly bytes: Uint8Array;
  readonly release: () => void;
}

async function sendPart(
  uploads: Uploads,
  upload: Upload,
  number: number,
  { bytes, release }: UploadPart,
  signal: AbortSignal,
): Promise<UploadedPart> {
  try {
    return await uploads.part(upload, number, bytes, { signal });
  } finally {
    release();
  }
}

/** The bytes cut into parts, each in its own memory; the consumer of a part releases it. */
async function* parts(
  bytes: Bytes,
  { partBytes }: { readonly partBytes: number },
  room: Semaphore,
  signal: AbortSignal,
): AsyncGenerator<UploadPart> {
  let open: (UploadPart & { filled: number }) | undefined;
  try {
    for await (const chunk of bytes) {
      signal.throwIfAborted();
      for (let at = 0; at < chunk.byteLength; ) {
        open ??= { release: await room.acquire(signal), bytes: Buffer.allocUnsafeSlow(partBytes), filled: 0 };
        const piece = chunk.subarray(at, at + partBytes - open.filled);
        open.bytes.set(piece, open.filled);
        open.filled += piece.byteLength;
        at += piece.byteLength;
        if (open.filled < partBytes) continue;
        const full = open;
        open = undefined;
        yield full;
      }
    }
    if (open === undefined) return;
    const last = { release: open.release, bytes: open.bytes.subarray(0, open.filled) };
    open = undefined;
    yield last;
  } finally {
    open?.release();
  }
}
