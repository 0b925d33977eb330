import { open as openCallback } from 'node:fs';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isDiskFull } from '../../base/state/medium-fault.ts';
import { createOutage, type Outage } from '../../base/state/outage.ts';
import type { ByteRange, Bytes } from '../../oci/content.ts';
import type { BufferPool } from '../../store/buffers.ts';
import type { TempFiles } from '../../store/filesystem/temp-files.ts';
import { fileBytes, type Growth } from '../../store/sending/file-bytes.ts';
import type { KernelSend } from '../../store/sending/kernel-send.ts';
import type { RoomRefusal } from '../events.ts';
import { BrokenSource } from './failover-read.ts';
import { type RoomOptions, type RoomShare, SpoolRoom, type SpoolRoomOptions } from './spool-room.ts';
import { createStaging } from './staging.ts';

const openDescriptor = promisify(openCallback);

interface SpoolOptions extends SpoolRoomOptions {
  readonly directory: string;
  readonly files: TempFiles;
  readonly buffers: BufferPool;
  /** How the kernel sends what is written to readers behind it. Default: it does not. */
  readonly kernel?: Promise<KernelSend | undefined> | undefined;
  /**
   * Whether files can be made in the directory, and written, each time that changes; with the cause
   * of a no.
   */
  readonly usabilityChanged?: (isUsable: boolean, error?: unknown) => void;
}

/** The disk has no room, or does not take files for another reason. */
export type UnwritableSpool = 'disk-full' | 'unwritable';

interface SpoolFileEvents {
  readonly progressed: () => void;
  /** Its room is needed for others: whatever is done with it now throws this. */
  readonly gaveWay: (error: GaveWay) => void;
}

/** Room on the local disk for downloads that are under way. */
export interface Spool {
  readonly kernel: Promise<KernelSend | undefined> | undefined;
  /** A file for a blob of `size` bytes, if that is known, or why there is none. */
  file(
    size: number | undefined,
    events: SpoolFileEvents,
    options?: RoomOptions,
  ): Promise<SpoolFile | RoomRefusal | UnwritableSpool>;
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

/** What a failure to write says of the spool. */
export function unwritable(error: unknown): UnwritableSpool {
  return isDiskFull(error) ? 'disk-full' : 'unwritable';
}

/**
 * A spool in a directory. Several processes of one host may use the same one, as workers do: each
 * file has its process in its name, and a sweep leaves those of living processes alone. The room
 * counts what this process holds.
 */
export function createSpool(options: SpoolOptions): Spool {
  const room = new SpoolRoom(options);
  const outage = createOutage({
    began: (error) => options.usabilityChanged?.(false, error),
    ended: () => options.usabilityChanged?.(true),
  });
  return {
    kernel: options.kernel,
    async file(size, events, roomOptions) {
      let file: SpoolFile | undefined;
      let gaveWay: RoomRefusal | undefined;
      const giveWay = (why: RoomRefusal): void => {
        gaveWay = why;
        file?.giveWay(why);
      };
      const share = room.enter(size, giveWay, roomOptions);
      if (typeof share === 'string') return share;
      try {
        const path = options.files.newPath();
        const handle = await opened(path, options.directory);
        file = new SpoolFile({ ...events, path, handle, share, outage, buffers: options.buffers });
        if (gaveWay !== undefined) file.giveWay(gaveWay);
        return file;
      } catch (error) {
        outage.failed(error);
        share.release();
        return unwritable(error);
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
  /** Told of each write to the disk. */
  readonly outage: Outage;
}

/** Whether the file still takes chunks, and if not, what a writer is told. */
type Writing =
  | { readonly name: 'open' }
  | { readonly name: 'gave-way'; readonly error: GaveWay }
  | { readonly name: 'unwritable'; readonly error: SpoolError };

/** One growing file: one writer, any number of readers, until its last holder releases it. */
export class SpoolFile {
  readonly path: string;
  readonly #options: SpoolFileOptions;
  readonly #latest = createStaging();
  #writing: Writing = { name: 'open' };
  /** Bytes that are on the disk. */
  #written = 0;
  #flushing: Promise<void> | undefined;
  #holders = 1;
  #owner: 'spool' | 'store' = 'spool';

  constructor(options: SpoolFileOptions) {
    this.path = options.path;
    this.#options = options;
  }

  /** Bytes that readers may have, wherever they are by now. */
  get length(): number {
    return this.#latest.length;
  }

  /** Bytes from the start that are on the disk. */
  get written(): number {
    return this.#written;
  }

  giveWay(why: RoomRefusal): void {
    const error = new GaveWay(why);
    // What the disk did not take stays lacking: `flush` must not forget that.
    if (this.#writing.name === 'open') this.#writing = { name: 'gave-way', error };
    this.#options.gaveWay(error);
  }

  /**
   * Takes a chunk, readable at return if memory has room; resolves when the next one may come.
   * Throws `GaveWay` when the spool has no room for it; then readers get no more either.
   */
  async append(chunk: Uint8Array): Promise<void> {
    this.#options.share.grow(this.length + chunk.byteLength);
    for (let rest = chunk; rest.byteLength > 0; ) {
      if (this.#writing.name !== 'open') throw this.#writing.error;
      const taken = this.#latest.take(rest);
      rest = rest.subarray(taken);
      this.#startFlush();
      if (taken > 0) this.#options.progressed();
      else await this.#flushing;
    }
  }

  /** Nothing is appended any more; resolves once everything is on the disk. */
  async flush(): Promise<void> {
    this.#options.share.complete();
    while (this.#flushing !== undefined) await this.#flushing;
    if (this.#writing.name === 'unwritable') throw this.#writing.error;
  }

  /** Bytes within `length`. Those that came last are read from memory. */
  read(range: ByteRange, growth: Growth, signal?: AbortSignal): Bytes {
    const options = { pool: this.#options.buffers, growth, ...(signal === undefined ? {} : { signal }) };
    return fileBytes({ read: this.#readAt }, range, options);
  }

  /**
   * A descriptor of its own, with its own position, for a holder who closes it before `release`;
   * whatever name the file has by now. On Linux alone.
   */
  reopened(): Promise<number> {
    return openDescriptor(`/proc/self/fd/${this.#options.handle.fd}`, 'r');
  }

  /** One more holder; false when the last one has let go already. */
  hold(): boolean {
    if (this.#holders > 0) this.#holders += 1;
    return this.#holders > 0;
  }

  /** Releases one holder; the last closes the file, and removes it unless adopted. */
  async release(): Promise<void> {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    while (this.#flushing !== undefined) await this.#flushing;
    await this.#options.handle.close().catch(() => undefined);
    if (this.#owner === 'spool') await unlink(this.path).catch(() => undefined);
    this.#options.share.release();
  }

  /** The store owns the path from now on. */
  adopted(): void {
    this.#owner = 'store';
    this.#options.share.release();
  }

  #startFlush(): void {
    this.#flushing ??= this.#writeOut()
      .catch((cause: unknown) => {
        this.#options.outage.failed(cause);
        this.#writing = {
          name: 'unwritable',
          error: new SpoolError(
            `the spool cannot be written${isDiskFull(cause) ? ': its disk is full' : ''}`,
            {
              cause,
            },
          ),
        };
      })
      .then(() => {
        this.#flushing = undefined;
        if (this.#written < this.length && this.#writing.name !== 'unwritable') this.#startFlush();
      });
  }

  async #writeOut(): Promise<void> {
    for (let bytes = this.#latest.turn(); bytes !== undefined; bytes = this.#latest.turn()) {
      await writeAll(this.#options.handle, bytes, this.#written);
      this.#written += bytes.byteLength;
      this.#options.outage.worked();
    }
  }

  /** What memory no longer holds is on the disk, all of it. */
  readonly #readAt = async (target: Uint8Array, _offset: number, length: number, position: number) => {
    const copied = this.#latest.copy(position, target.subarray(0, length));
    if (copied > 0) return { bytesRead: copied };
    return this.#options.handle.read(target, 0, Math.min(length, this.#written - position), position);
  };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let offset = 0; offset < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, offset, bytes.byteLength - offset, position + offset);
    offset += bytesWritten;
  }
}
