import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import type { ByteRange, Bytes } from '../oci/content.ts';
import { BrokenSource } from './continued.ts';
import { staging } from './staging.ts';
import type { BufferPool } from './store/buffers.ts';
import { fileBytes, type Growth } from './store/file-bytes.ts';
import type { TempFiles } from './store/temp-files.ts';

/**
 * One growing file: a single writer appends, any number of readers follow. Its bytes stay readable until the last
 * holder has let go.
 */
export interface SpoolFile {
  readonly path: string;
  /** Bytes that readers may have, wherever they are by now. */
  readonly length: number;
  /** Takes a chunk, readable as far as there is room when the call returns; resolves when the next one may come. */
  append(chunk: Uint8Array): Promise<void>;
  /** Resolves once everything appended is on the disk. */
  flush(): Promise<void>;
  /** Bytes within `length`. Those that came last are read from memory. */
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
  /** A file with room for `size` bytes, or undefined when there is none. `progressed` is called whenever it has grown. */
  file(size: number, progressed: () => void): Promise<SpoolFile | undefined>;
  /** Removes what a crash left behind; resolves to how many files. */
  sweep(): Promise<number>;
}

/** The disk, or our share of it, failed: the download itself may be well. */
export class SpoolError extends BrokenSource {
  override readonly name = 'SpoolError';
}

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
        const path = options.files.newPath();
        const handle = await opened(path, options.directory);
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

/** The directory is nearly always there. */
async function opened(path: string, directory: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx+', 0o600);
  } catch {
    await mkdir(directory, { recursive: true });
    return open(path, 'wx+', 0o600);
  }
}

interface SpoolFileOptions {
  readonly path: string;
  readonly handle: FileHandle;
  readonly buffers: BufferPool;
  readonly progressed: () => void;
  readonly closed: () => void;
}

function spoolFile({ path, handle, buffers, progressed, closed }: SpoolFileOptions): SpoolFile {
  const latest = staging();
  let written = 0;
  let flushing: Promise<void> | undefined;
  let failure: SpoolError | undefined;
  let holders = 1;
  let isAdopted = false;

  const writeOut = async (): Promise<void> => {
    for (let bytes = latest.turn(); bytes !== undefined; bytes = latest.turn()) {
      await writeAll(handle, bytes, written);
      written += bytes.byteLength;
    }
  };
  const start = (): void => {
    flushing ??= writeOut()
      .catch((cause: unknown) => {
        failure = new SpoolError('the spool cannot be written', { cause });
      })
      .then(() => {
        flushing = undefined;
        if (written < latest.length && failure === undefined) start();
      });
  };

  /** What memory no longer holds is on the disk, all of it. */
  async function readAt(target: Uint8Array, _offset: number, length: number, position: number) {
    const copied = latest.copy(position, target.subarray(0, length));
    if (copied > 0) return { bytesRead: copied };
    return handle.read(target, 0, Math.min(length, written - position), position);
  }

  return {
    path,
    get length() {
      return latest.length;
    },
    async append(chunk) {
      for (let rest = chunk; rest.byteLength > 0; ) {
        if (failure !== undefined) throw failure;
        const taken = latest.take(rest);
        rest = rest.subarray(taken);
        start();
        if (taken > 0) progressed();
        else await flushing;
      }
    },
    async flush() {
      while (flushing !== undefined) await flushing;
      if (failure !== undefined) throw failure;
    },
    read: (range, growth, signal) =>
      fileBytes({ read: readAt }, range, {
        pool: buffers,
        growth,
        ...(signal === undefined ? {} : { signal }),
      }),
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
