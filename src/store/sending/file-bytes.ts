import type { ByteRange } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { BufferPair, BufferPool } from '../buffers.ts';
import { Pace } from './pace.ts';

interface FileBytesOptions {
  /** Where readers get their large buffers. */
  readonly pool: BufferPool;
  /** Ends the read, with the signal's reason, before the next chunk. */
  readonly signal?: AbortSignal;
  /** A file that still grows. Default: the range is there. */
  readonly growth?: Growth;
}

/** What is read: an open file, or what stands for one. */
interface ReadableFile {
  read(
    target: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
}

/** How far a growing file may be read. */
export interface Growth {
  /** Bytes from its start. */
  readonly readable: () => number;
  /** Resolves when `readable` may have changed; throws what ended the growth. */
  readonly more: () => Promise<void>;
}

/** What a reader gets for whom the pool has no pair, or who is slow: 500 of them are 16 MB. */
export const smallBytes = 32 * 1024;

interface Cursor {
  readonly file: ReadableFile;
  readonly end: number;
  readonly growth: Growth | undefined;
  readonly pace: Pace;
  position: number;
}

/**
 * The bytes of an open file, in chunks, each valid until the next. The caller owns `file` and
 * closes it after the last `next`; no read is under way then. Throws `UPSTREAM_INVALID` when the
 * file ends before `range` does.
 *
 * A reader has two large buffers from the first byte, so that the disk is read while the socket is
 * written. It gives them back when it becomes slow, waits for growth, ends, or leaves. Without
 * them, and for what fits, it has a small one.
 */
export async function* fileBytes(
  file: ReadableFile,
  range: ByteRange,
  { pool, signal, growth }: FileBytesOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor: Cursor = { file, end: range.end, growth, pace: new Pace(), position: range.start };
  let small: Uint8Array | undefined;
  while (leftOf(cursor) > 0) {
    while (readyOf(cursor) <= 0) {
      await growth?.more();
      signal?.throwIfAborted();
    }
    const pair = mayHavePair(cursor) ? pool.takePair() : undefined;
    if (pair !== undefined) {
      yield* doubled(cursor, pair, pool, signal);
    } else {
      signal?.throwIfAborted();
      small ??= Buffer.allocUnsafeSlow(Math.min(smallBytes, leftOf(cursor)));
      const chunk = await readNext(cursor, small);
      const givenAt = performance.now();
      yield chunk;
      cursor.pace.learn(chunk.byteLength, givenAt);
    }
  }
}

async function* doubled(cursor: Cursor, pair: BufferPair, pool: BufferPool, signal: AbortSignal | undefined) {
  let [free, used] = pair;
  let reading = readAhead(cursor, free);
  try {
    while (reading !== undefined) {
      signal?.throwIfAborted();
      const chunk: Uint8Array = await reading;
      [free, used] = [used, free];
      reading = cursor.pace.isOn ? readAhead(cursor, free) : undefined;
      const givenAt = performance.now();
      yield chunk;
      cursor.pace.learn(chunk.byteLength, givenAt);
    }
  } finally {
    await reading?.catch(() => {});
    pool.giveBack(pair);
  }
}

/** Starts a read whose failure waits until a reader asks for it. */
function readAhead(cursor: Cursor, buffer: Uint8Array): Promise<Uint8Array> | undefined {
  if (readyOf(cursor) <= 0) return undefined;
  const reading = readNext(cursor, buffer);
  reading.catch(() => {});
  return reading;
}

async function readNext(cursor: Cursor, buffer: Uint8Array): Promise<Uint8Array> {
  const length = Math.min(buffer.byteLength, readyOf(cursor));
  const { bytesRead } = await cursor.file.read(buffer, 0, length, cursor.position);
  if (bytesRead === 0) throw truncated(cursor.position, cursor.end);
  cursor.position += bytesRead;
  return buffer.subarray(0, bytesRead);
}

/** The file ends at that byte, before the last one that is asked for. */
export function truncated(position: number, end: number): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', 'the stored content is truncated', {
    detail: { at: position, expected: end + 1 },
  });
}

/** The disk failed, as against the one who takes the bytes. */
export function unreadable(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the store cannot be read', { cause });
}

function mayHavePair(cursor: Cursor): boolean {
  return cursor.pace.isFast && readyOf(cursor) > smallBytes;
}

function leftOf(cursor: Cursor): number {
  return cursor.end + 1 - cursor.position;
}

/** What can be read now. */
function readyOf({ growth, end, position }: Cursor): number {
  return Math.min(end + 1, growth?.readable() ?? end + 1) - position;
}
