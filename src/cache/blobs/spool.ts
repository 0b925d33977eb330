import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import type { ByteRange, Bytes } from '../../oci/content.ts';
import type { BufferPool } from '../../store/buffers.ts';
import { fileBytes, type Growth } from '../../store/filesystem/file-bytes.ts';
import type { TempFiles } from '../../store/filesystem/temp-files.ts';
import type { RoomRefusal } from '../events.ts';
import { BrokenSource } from './continued.ts';
import { type RoomShare, SpoolRoom, type SpoolRoomOptions } from './spool-room.ts';
import { staging } from './staging.ts';

/**
 * One growing file: a single writer appends, any number of readers follow. Its bytes stay readable until the last
 * holder has let go.
 */
export interface SpoolFile {
  readonly path: string;
  /** Bytes that readers may have, wherever they are by now. */
  readonly length: number;
  /**
   * Takes a chunk, readable as far as memory has room when the call returns; resolves when the next
   * one may come. Throws `GaveWay` when there is no room for it in the spool, and then readers get
   * no more either.
   */
  append(chunk: Uint8Array): Promise<void>;
  /** Nothing is appended any more; resolves once everything is on the disk. */
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

export interface SpoolOptions extends SpoolRoomOptions {
  readonly directory: string;
  readonly files: TempFiles;
  readonly buffers: BufferPool;
}

export interface SpoolFileEvents {
  /** It has grown. */
  readonly progressed: () => void;
  /** Its room is needed for others: whatever is done with it now throws this. */
  readonly gaveWay: (error: GaveWay) => void;
}

/** Room on the local disk for downloads that are under way. */
export interface Spool {
  /** A file for a blob of `size` bytes, if that is known, or why there is none. */
  file(size: number | undefined, events: SpoolFileEvents): Promise<SpoolFile | RoomRefusal | 'unwritable'>;
  /** Removes what a crash left behind; resolves to how many files. */
  sweep(): Promise<number>;
}

/** The disk, or our share of it, failed: the download itself may be well. */
export class SpoolError extends BrokenSource {
  override readonly name = 'SpoolError';
}

/** The room was needed for others. */
export class GaveWay extends SpoolError {
  readonly why: RoomRefusal;

  constructor(why: RoomRefusal) {
    super(`the download has no room in the spool: ${why}`);
    this.why = why;
  }
}

/** A spool in a directory of its own; no other process may use the same one. */
export function spool(options: SpoolOptions): Spool {
  const room = new SpoolRoom(options);
  return {
    async file(size, events) {
      let file: SpoolFileParts | undefined;
      const share = room.enter(size, (why) => file?.giveWay(why));
      if (typeof share === 'string') return share;
      try {
        const path = options.files.newPath();
        const handle = await opened(path, options.directory);
        file = spoolFile({ ...events, path, handle, share, buffers: options.buffers });
        return file;
      } catch {
        share.release();
        return 'unwritable';
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

interface SpoolFileOptions extends SpoolFileEvents {
  readonly path: string;
  readonly handle: FileHandle;
  readonly buffers: BufferPool;
  readonly share: RoomShare;
}

/** A file that can be told to give way. */
interface SpoolFileParts extends SpoolFile {
  giveWay(why: RoomRefusal): void;
}

function spoolFile(options: SpoolFileOptions): SpoolFileParts {
  const { path, handle, buffers, progressed, share } = options;
  const latest = staging();
  let written = 0;
  let flushing: Promise<void> | undefined;
  let failure: SpoolError | undefined;
  let gaveWay: GaveWay | undefined;
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
    giveWay(why) {
      gaveWay = new GaveWay(why);
      options.gaveWay(gaveWay);
    },
    get length() {
      return latest.length;
    },
    async append(chunk) {
      share.grow(latest.length + chunk.byteLength);
      if (gaveWay !== undefined) throw gaveWay;
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
      share.complete();
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
      share.release();
    },
    adopted() {
      isAdopted = true;
      share.release();
    },
  };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, offset, bytes.byteLength - offset, position + offset);
    offset += bytesWritten;
  }
}
