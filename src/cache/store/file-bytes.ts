import type { ByteRange } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Block, BufferPool, Place } from './buffers.ts';

export interface FileBytesOptions {
  /** Where fast readers get their large buffers. */
  readonly pool: BufferPool;
  /** The same for all who read this very file; they share what is read. Default: this reader is alone. */
  readonly name?: string;
  /** Ends the read, with the signal's reason, before the next chunk. */
  readonly signal?: AbortSignal;
  /** A file that still grows. Default: the range is there. */
  readonly growth?: Growth;
}

/** What is read: an open file, or what stands for one. */
export interface ReadableFile {
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

/** What every reader has, however slow: 500 of them are 16 MB. */
const smallBytes = 32 * 1024;
/** A reader must take this much at speed to be called fast: the socket's own buffers make any client look fast at first. */
const provenBytes = 16 * 1024 * 1024;
/** The speed that earns large buffers, and the one that loses them; bytes a millisecond. */
const fastPace = 16 * 1024;
const slowPace = 4 * 1024;

interface Cursor {
  readonly file: ReadableFile;
  readonly end: number;
  readonly growth: Growth | undefined;
  position: number;
  /** Bytes taken at `fastPace` or above, without a slow chunk between. */
  provenBytes: number;
}

/**
 * The bytes of an open file, in lent chunks. The caller owns `file` and closes it after the last `next`; no read is under
 * way then. Throws `UPSTREAM_INVALID` when the file ends before `range` does.
 *
 * A reader begins with one small buffer. One that takes its chunks quickly gets two large ones, so that the disk is read
 * while the socket is written, shared with those who read the same file as fast, and gives them back when it becomes slow, ends, or leaves.
 */
export async function* fileBytes(
  file: ReadableFile,
  range: ByteRange,
  { pool, name, signal, growth }: FileBytesOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor: Cursor = { file, end: range.end, growth, position: range.start, provenBytes: 0 };
  const small = Buffer.allocUnsafeSlow(Math.max(1, Math.min(smallBytes, leftOf(cursor))));
  while (leftOf(cursor) > 0) {
    while (readyOf(cursor) <= 0) {
      await growth?.more();
      signal?.throwIfAborted();
    }
    const place = isFast(cursor, pool) ? pool.join(name) : undefined;
    if (place !== undefined) {
      yield* inBlocks(cursor, place, pool.bufferBytes, signal);
    } else {
      signal?.throwIfAborted();
      const chunk = await readNext(cursor, small);
      const lentAt = performance.now();
      yield chunk;
      learnPace(cursor, chunk.byteLength, lentAt);
    }
  }
}

async function* inBlocks(cursor: Cursor, place: Place, bufferBytes: number, signal: AbortSignal | undefined) {
  let ahead = blockAhead(cursor, place, bufferBytes);
  let lent: Block | undefined;
  try {
    while (ahead !== undefined) {
      signal?.throwIfAborted();
      const chunk = advanced(cursor, await ahead.bytes, ahead.offset);
      [lent, ahead] = [ahead, undefined];
      if (cursor.provenBytes > 0) ahead = blockAhead(cursor, place, bufferBytes);
      const lentAt = performance.now();
      yield chunk;
      learnPace(cursor, chunk.byteLength, lentAt);
      lent = released(lent);
    }
  } finally {
    released(lent);
    await ahead?.bytes.catch(() => {});
    released(ahead);
    place.leave();
  }
}

function released(block: Block | undefined): undefined {
  block?.release();
}

/**
 * Starts a read whose failure waits until somebody asks for it. A file that is whole is read in the same blocks by all, wherever their
 * ranges begin and end; one that grows as far as it has come.
 */
function blockAhead(cursor: Cursor, place: Place, bufferBytes: number): Block | undefined {
  const { file, position, growth } = cursor;
  const ready = readyOf(cursor);
  if (ready <= 0) return undefined;
  const offset = growth === undefined ? position - (position % bufferBytes) : position;
  const length = growth === undefined ? bufferBytes : Math.min(bufferBytes, ready);
  return place.take(offset, (target) => filled(file, target.subarray(0, length), offset));
}

/** As much of the target as the file has. */
async function filled(file: ReadableFile, target: Uint8Array, offset: number): Promise<Uint8Array> {
  for (let length = 0; length < target.byteLength; ) {
    const { bytesRead } = await file.read(target, length, target.byteLength - length, offset + length);
    if (bytesRead === 0) return target.subarray(0, length);
    length += bytesRead;
  }
  return target;
}

/** What the reader has not had of a block that begins at `offset`. */
function advanced(cursor: Cursor, block: Uint8Array, offset: number): Uint8Array {
  const chunk = block.subarray(cursor.position - offset, cursor.end + 1 - offset);
  if (chunk.byteLength === 0) throw endsTooEarly(cursor);
  cursor.position += chunk.byteLength;
  return chunk;
}

async function readNext(cursor: Cursor, buffer: Uint8Array): Promise<Uint8Array> {
  const length = Math.min(buffer.byteLength, readyOf(cursor));
  const { bytesRead } = await cursor.file.read(buffer, 0, length, cursor.position);
  return advanced(cursor, buffer.subarray(0, bytesRead), cursor.position);
}

function endsTooEarly({ position, end }: Cursor): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', 'the stored content ends too early', {
    detail: { at: position, expected: end + 1 },
  });
}

/** Learns from how long the reader kept a chunk. */
function learnPace(cursor: Cursor, bytes: number, lentAt: number): void {
  const pace = bytes / (performance.now() - lentAt);
  if (pace >= fastPace) cursor.provenBytes += bytes;
  else if (pace < slowPace) cursor.provenBytes = 0;
}

function isFast(cursor: Cursor, pool: BufferPool): boolean {
  return cursor.provenBytes >= provenBytes && leftOf(cursor) > pool.bufferBytes;
}

function leftOf(cursor: Cursor): number {
  return cursor.end + 1 - cursor.position;
}

/** What can be read now. */
function readyOf({ growth, end, position }: Cursor): number {
  return Math.min(end + 1, growth?.readable() ?? end + 1) - position;
}
