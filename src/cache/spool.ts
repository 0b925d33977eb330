import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import type { ByteRange, Bytes } from '../oci/content.ts';
import type { BufferPool } from './store/buffers.ts';
import { fileBytes, type Growth } from './store/file-bytes.ts';
import type { TempFiles } from './store/temp-files.ts';

/**
 * One growing file: a single writer appends, any number of readers follow. Its bytes stay readable until the last
 * holder has let go.
 */
export interface SpoolFile {
  readonly path: string;
  /** Bytes that readers may have. */
  readonly written: number;
  /** Takes a chunk; resolves when the next one may come, which is before this one is readable. */
  append(chunk: Uint8Array): Promise<void>;
  /** Resolves once everything appended is readable. */
  flush(): Promise<void>;
  /** Bytes that were written already. */
  read(range: ByteRange, growth: Growth, signal?: AbortSignal): Bytes;
  /** One more holder; false when the last one has let go already. */
  hold(): boolean;
  /** One holder less; the last one closes the file, and removes it unless the store has adopted it. Never rejects. */
  release(): Promise<void>;
  /** The store owns the path from now on. */
  adopted(): void;
}

export interface SpoolOptions {
  readonly directory: string;
  /** How many bytes all files together may hold. */
  readonly maxBytes: number;
  readonly files: TempFiles;
  readonly buffers: BufferPool;
  /** Called when the sum of bytes changes. */
  readonly changed: (bytes: number) => void;
}

/** Room on the local disk for downloads that are under way. */
export interface Spool {
  /** A file with room for `size` bytes, or undefined when there is none. */
  file(size: number, progressed: () => void): Promise<SpoolFile | undefined>;
  /** Removes what a crash left behind; resolves to how many files. */
  sweep(): Promise<number>;
}

/** The disk, or our share of it, failed: the download itself may be well. */
export class SpoolError extends Error {
  override readonly name = 'SpoolError';
}

/** Half of what is collected before it is written: large enough that the thread pool's round trip does not show. */
const stagingBytes = 512 * 1024;

/** A spool in a directory of its own; no other process may use the same one. */
export function spool(options: SpoolOptions): Spool {
  let reserved = 0;
  const reserve = (bytes: number): void => {
    reserved += bytes;
    options.changed(reserved);
  };
  return {
    async file(size, progressed) {
      if (reserved + size > options.maxBytes) return undefined;
      reserve(size);
      try {
        await mkdir(options.directory, { recursive: true });
        const path = options.files.newPath();
        const handle = await open(path, 'wx+', 0o600);
        return spoolFile({
          path,
          handle,
          progressed,
          buffers: options.buffers,
          closed: () => reserve(-size),
        });
      } catch {
        reserve(-size);
        return undefined;
      }
    },
    sweep: () => options.files.sweep(),
  };
}

interface SpoolFileOptions {
  readonly path: string;
  readonly handle: FileHandle;
  readonly buffers: BufferPool;
  readonly progressed: () => void;
  readonly closed: () => void;
}

function spoolFile({ path, handle, buffers, progressed, closed }: SpoolFileOptions): SpoolFile {
  let written = 0;
  let filling = Buffer.allocUnsafe(stagingBytes);
  let writing = Buffer.allocUnsafe(stagingBytes);
  let filled = 0;
  let flushing: Promise<void> | undefined;
  let failure: SpoolError | undefined;
  let holders = 1;
  let isAdopted = false;

  const writeOut = async (): Promise<void> => {
    while (filled > 0) {
      const length = filled;
      [filling, writing] = [writing, filling];
      filled = 0;
      await writeAll(handle, writing.subarray(0, length), written);
      written += length;
      progressed();
    }
  };
  const start = (): void => {
    flushing ??= writeOut()
      .catch((cause: unknown) => {
        failure = new SpoolError('the spool cannot be written', { cause });
      })
      .then(() => {
        flushing = undefined;
        if (filled > 0 && failure === undefined) start();
      });
  };

  return {
    path,
    get written() {
      return written;
    },
    async append(chunk) {
      for (let offset = 0; offset < chunk.byteLength; ) {
        if (filled === stagingBytes) await flushing;
        if (failure !== undefined) throw failure;
        const piece = chunk.subarray(offset, offset + stagingBytes - filled);
        filling.set(piece, filled);
        filled += piece.byteLength;
        offset += piece.byteLength;
        start();
      }
    },
    async flush() {
      while (flushing !== undefined) await flushing;
      if (failure !== undefined) throw failure;
    },
    read: (range, growth, signal) =>
      fileBytes(handle, range, { pool: buffers, growth, ...(signal === undefined ? {} : { signal }) }),
    hold() {
      if (holders > 0) holders += 1;
      return holders > 0;
    },
    async release() {
      holders -= 1;
      if (holders > 0) return;
      while (flushing !== undefined) await flushing;
      await handle.close().catch(() => undefined);
      if (!isAdopted) await unlink(path).catch(() => undefined);
      closed();
    },
    adopted() {
      isAdopted = true;
    },
  };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, offset, bytes.byteLength - offset, position + offset);
    offset += bytesWritten;
  }
}
