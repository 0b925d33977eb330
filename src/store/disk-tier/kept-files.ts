import { rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createLru } from '../../base/state/lru.ts';
import { type Bytes, bytesOf, type Content, type Descriptor, type ReadOptions } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { BufferPool } from '../buffers.ts';
import { disk } from '../filesystem/disk.ts';
import { filesBelow } from '../filesystem/file-walk.ts';
import { filesystemBlobs } from '../filesystem/filesystem-blobs.ts';
import { createTempFiles, type TempFiles } from '../filesystem/temp-files.ts';
import { blobKey, blobsPrefix, parseBlobKey } from '../keys.ts';
import type { KernelSend } from '../sending/kernel-send.ts';
import type { CachedBlobs } from '../store.ts';
import type { StoredFile } from '../stored-file.ts';
import { DiskHealth } from './disk-health.ts';
import type { DiskTierEvents } from './events.ts';
import { type KeptCopy, UseOrder } from './use-order.ts';

export interface KeptFilesOptions {
  /** The directory; made when it is first written to. */
  readonly path: string;
  /** What all copies, and those under way, may hold, bytes. */
  readonly maxBytes: number;
  /** Most copies, whatever their size. Default 200,000: 40 MB of memory. */
  readonly maxFiles?: number;
  /** Large buffers for fast readers. */
  readonly buffers: BufferPool;
  /** How the kernel sends copies to plain sockets. Default: it does not. */
  readonly kernel?: Promise<KernelSend | undefined> | undefined;
  readonly events: DiskTierEvents;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Most copies on a disk, by default. */
export const mostFiles = 200_000;
/** Copies that cannot be deleted and must not be read. */
const mostBarred = 10_000;
const dayMs = 86_400_000;

/**
 * Verified copies of blobs in a directory, laid out as a filesystem store is, the least recently
 * used of which give way. Whatever its disk does, nothing here rejects: a copy that cannot be read
 * is none. Several processes may share the directory: a copy appears whole or not at all, a deleted
 * one stays readable while open, and each process finds those of the others by a walk, at the start
 * and once a day. Workers tell each other of each copy, so that together they keep within the size.
 */
export class KeptFiles {
  readonly health: DiskHealth;
  /** In the directory, for downloads. */
  readonly temps: TempFiles;
  readonly #options: KeptFilesOptions & Required<Pick<KeptFilesOptions, 'maxFiles' | 'now'>>;
  readonly #blobs: ReturnType<typeof filesystemBlobs>;
  readonly #order = new UseOrder();
  readonly #barred = createLru<Digest, true>(mostBarred);
  #isWalked = false;
  #pendingBytes = 0;
  #removing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: KeptFilesOptions) {
    const { path, buffers: pool, kernel, events, now = Date.now } = options;
    this.#options = { maxFiles: mostFiles, ...options, now };
    this.health = new DiskHealth({ events, now: options.now ?? (() => performance.now()) });
    this.temps = createTempFiles(join(path, 'tmp'));
    this.#blobs = filesystemBlobs({ path, temps: this.temps, pool, kernel });
  }

  /** Whether a copy is known, without a look at the directory. */
  has(digest: Digest): boolean {
    return this.#order.size(digest) !== undefined;
  }

  /** The size of the copy, bytes; undefined for none. */
  async size(digest: Digest): Promise<number | undefined> {
    const size = this.#order.size(digest);
    if (size !== undefined || this.#isWalked || this.#barred.has(digest)) return size;
    const found = await this.#blobs.stat(digest).catch(() => undefined);
    if (found === undefined) return undefined;
    this.#order.add(digest, found.size, this.#options.now());
    this.#makeRoom();
    return found.size;
  }

  /** The copy, which counts as used now; undefined for none. */
  async open(digest: Digest, reading: ReadOptions): Promise<Content | undefined> {
    if ((await this.size(digest)) === undefined) return undefined;
    try {
      const content = await this.#blobs.open(digest, reading);
      if (content === undefined) this.#forget(digest);
      else this.#used(digest);
      return content && { ...content, isNearCopy: true };
    } catch (error) {
      if (reading.signal?.aborted === true) throw error;
      await this.failed(digest, error);
      return undefined;
    }
  }

  /** The copy as a file, which counts as used now; undefined for none. */
  async openFile(digest: Digest): Promise<StoredFile | undefined> {
    if ((await this.size(digest)) === undefined) return undefined;
    try {
      const file = await this.#blobs.openFile(digest);
      if (file === undefined) this.#forget(digest);
      else this.#used(digest);
      return file;
    } catch (error) {
      await this.failed(digest, error);
      return undefined;
    }
  }

  /** The copy broke while it was read, and is given up. */
  async failed(digest: Digest, error: unknown): Promise<void> {
    this.health.readFailed(error);
    await this.remove(digest);
  }

  /** Makes a complete, verified file a copy, by rename; false, leaving it, where that fails. */
  async adopt(descriptor: Descriptor, file: string): Promise<boolean> {
    if (!this.health.mayWrite) return false;
    try {
      if (!(await this.#blobs.adopt(descriptor, file))) return false;
      this.health.wrote();
      this.#barred.delete(descriptor.digest);
      this.#order.add(descriptor.digest, descriptor.size, this.#options.now());
      this.#options.events.copyChanged?.({ digest: descriptor.digest, size: descriptor.size });
      this.#changed();
      // Until then the download gives back its room, which would count besides.
      this.#removing = this.#removing.then(nextTurn).then(() => this.#makeRoom());
      return true;
    } catch (error) {
      this.health.writeFailed(error);
      return false;
    }
  }

  /** Takes a copy away; one that its disk does not let go is not read any more. */
  async remove(digest: Digest): Promise<void> {
    this.#forget(digest);
    await this.#blobs.delete(digest).catch(() => this.#barred.set(digest, true));
    this.#options.events.copyChanged?.({ digest });
  }

  /** Another process on the directory added that copy, of `size` bytes, or removed it. */
  noted(digest: Digest, size: number | undefined): void {
    if (size === undefined) this.#order.remove(digest);
    else this.#order.add(digest, size, this.#options.now());
    this.#changed();
  }

  /** So many bytes of copies are under way: others make room for them. */
  pending(bytes: number): void {
    this.#pendingBytes = bytes;
    this.#makeRoom();
  }

  /** All copies, for the scrub. */
  list: CachedBlobs['list'] = (options) => this.#blobs.list(options);

  /** Whether a small file can be written. Never rejects. */
  async isUsable(): Promise<boolean> {
    const probe = this.temps.newPath();
    try {
      await disk.writeNew(probe, bytesOf(Buffer.from('probe')));
      this.health.wrote();
      return true;
    } catch (error) {
      this.health.writeFailed(error);
      return false;
    } finally {
      await rm(probe, { force: true }).catch(() => undefined);
    }
  }

  /** Learns what the directory holds, now and once a day; then it is swept, too. Never rejects. */
  async start(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#daily(), dayMs).unref();
    await this.#walk();
  }

  /** Resolves when no deletion is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (let removing: unknown; removing !== this.#removing; await removing) removing = this.#removing;
  }

  /** A file of another host may have been too young at the start. */
  async #daily(): Promise<void> {
    await this.temps.sweep().catch(() => undefined);
    await this.#walk();
  }

  async #walk(): Promise<void> {
    const walkedAt = this.#options.now();
    const found = new Map<Digest, KeptCopy>();
    try {
      for await (const key of filesBelow(this.#options.path, blobsPrefix, undefined)) {
        const digest = parseBlobKey(key);
        const file = digest && (await disk.ifPresent(stat(join(this.#options.path, key))));
        if (digest && file && !this.#barred.has(digest))
          found.set(digest, { digest, size: file.size, usedAt: file.mtimeMs });
      }
    } catch (error) {
      this.health.readFailed(error);
      return;
    }
    this.#order.reconcile(found, walkedAt);
    this.#isWalked = true;
    this.#makeRoom();
  }

  #used(digest: Digest): void {
    const now = this.#options.now();
    if (!this.#order.use(digest, now)) return;
    const seconds = now / 1000;
    utimes(join(this.#options.path, blobKey(digest)), seconds, seconds).catch(() => undefined);
  }

  #forget(digest: Digest): void {
    this.#order.remove(digest);
    this.#changed();
  }

  #makeRoom(): void {
    const { maxBytes, maxFiles, events } = this.#options;
    const room = { maxBytes, maxFiles, pendingBytes: this.#pendingBytes };
    for (let next = this.#order.surplus(room); next !== undefined; next = this.#order.surplus(room)) {
      const digest = next;
      this.#order.remove(digest);
      events.diskEvicted();
      this.#removing = this.#removing.then(() => this.remove(digest));
    }
    this.#changed();
  }

  #changed(): void {
    this.#options.events.diskChanged({ bytes: this.#order.bytes, blobs: this.#order.length });
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The body of a copy; where that fails, the rest from elsewhere. */
export async function* withRest(
  body: Bytes,
  start: number,
  rest: (from: number, error: unknown) => Promise<Bytes>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = start;
  let failure: unknown;
  try {
    for await (const chunk of body) {
      position += chunk.byteLength;
      yield chunk;
    }
    return;
  } catch (error) {
    if (signal?.aborted === true) throw error;
    failure = error;
  }
  yield* await rest(position, failure);
}
