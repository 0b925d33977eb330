import type { Hash } from 'node:crypto';
import { broadcast } from '../../base/broadcast.ts';
import { type ByteRange, type Bytes, type Descriptor, mismatch } from '../../oci/content.ts';
import { type Digest, digester, isMatch } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Growth } from '../../store/filesystem/file-bytes.ts';
import type { CachedBlobs } from '../../store/store.ts';
import type { UpstreamBlob } from '../../upstream/upstream.ts';
import type { FillOutcome, NotKept } from '../events.ts';
import { GaveWay, type Spool, SpoolError, type SpoolFile } from './spool.ts';

export interface FillOptions {
  readonly digest: Digest;
  /** The size that a manifest states, for upstreams that state none. */
  readonly size: number | undefined;
  /** Opens the blob at the upstream; resolves to undefined when it has none. */
  readonly origin: (signal: AbortSignal) => Promise<UpstreamBlob | undefined>;
  readonly spool: Spool;
  readonly store: CachedBlobs;
  /** The store could not keep the blob; the readers do not notice. */
  readonly storeFailed: (error: unknown) => void;
}

/**
 * One download of one digest, owned by no request. It goes at its own pace into the spool, is hashed on the way, and is put
 * into the store once it is whole and right. Readers follow the spool, each at its own place and pace.
 */
export interface Fill {
  /**
   * The descriptor, once the first byte is there; of an empty blob, which has no last byte to
   * withhold, and of one whose size nobody states, once it proved right. Rejects with
   * `BLOB_UNKNOWN` when the upstream has no such blob, with the upstream's refusal, and with NoRoom
   * when the spool cannot hold it.
   */
  readonly opened: Promise<Descriptor>;
  /** Never rejects. Resolves when the blob is in the store, or will not be. */
  readonly settled: Promise<FillOutcome>;
  /** How far the download is from `offset`: in bytes, and in milliseconds at its speed so far. 0 when it is there. */
  distanceTo(offset: number): { readonly bytes: number; readonly ms: number };
  /**
   * Follows the download. The last byte of the blob is withheld until the whole of it proved right, so that no
   * reader ever completes a wrong body. Throws what ended the download, SpoolError when only our disk is to blame, and the
   * signal's reason, however long nothing has come.
   */
  read(range: ByteRange, signal?: AbortSignal): Bytes;
  /** Gives the download up. */
  abort(): void;
}

/** The spool cannot hold the blob: hand it through instead. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';
  /** Of the blob, as the upstream states it; bytes. */
  readonly size: number | undefined;
  readonly why: Exclude<NotKept, 'store'>;

  constructor(size: number | undefined, why: Exclude<NotKept, 'store'>) {
    super(`the spool has no room for the blob: ${why}`);
    this.size = size;
    this.why = why;
  }
}

/** The most that is downloaded of a blob whose size nobody states. */
const unstatedSizeLimit = 1024 ** 3;

/** Starts the download. */
export function fill(options: FillOptions): Fill {
  const { digest, spool, store } = options;
  const control = new AbortController();
  const opened = Promise.withResolvers<Descriptor>();
  const changed = broadcast();
  const startedAt = performance.now();
  let file: SpoolFile | undefined;
  let failure: unknown;
  let isRight = false;

  const hasGivenWay = (): boolean => control.signal.reason instanceof GaveWay;

  const readable = (target: SpoolFile, size: number): number =>
    isRight ? size : Math.min(target.length, size - 1);

  async function* read(range: ByteRange, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { size } = await opened.promise;
    if (file === undefined || !file.hold()) throw new SpoolError('the spool file was removed');
    signal?.addEventListener('abort', changed.wake);
    const target = file;
    const growth: Growth = {
      readable() {
        // A reader that reads on holds the room that others need.
        if (hasGivenWay()) throw control.signal.reason;
        return readable(target, size);
      },
      more: () => (failure === undefined ? changed.wait() : Promise.reject(failure)),
    };
    let position = range.start;
    try {
      for await (const chunk of target.read(range, growth, signal)) {
        position += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      if (!(error instanceof SpoolError) || isRight || range.start > 0 || range.end < size - 1) throw error;
      throw new SpoolError(error.message, { cause: error, delivered: await hashed(target, position) });
    } finally {
      signal?.removeEventListener('abort', changed.wake);
      await file.release();
    }
  }

  /** Of the first bytes of the file, which stay readable where the disk takes no more. */
  async function hashed(target: SpoolFile, length: number): Promise<Hash> {
    const hash = digester(digest);
    const there: Growth = { readable: () => length, more: () => Promise.resolve() };
    for await (const chunk of target.read({ start: 0, end: length - 1 }, there)) hash.update(chunk);
    return hash;
  }

  async function download(): Promise<Descriptor> {
    const blob = await options.origin(control.signal);
    if (blob === undefined)
      throw new RegistryError('BLOB_UNKNOWN', 'the upstream has no such blob', { detail: { digest } });
    try {
      const stated = blob.size ?? options.size;
      const room = await spool.file(stated, {
        progressed: changed.wake,
        gaveWay: (error) => control.abort(error),
      });
      if (typeof room === 'string') throw new NoRoom(blob.size, room);
      file = room;
      return await received(blob, room, stated);
    } finally {
      blob.close();
    }
  }

  /** From here on readers may come, and the store reads along unless it will take the file itself. */
  function announce(descriptor: Descriptor): void {
    opened.resolve(descriptor);
    if (store.adopt === undefined) saving = save(descriptor);
  }
  let saving: Promise<boolean> | undefined;

  async function received(
    blob: UpstreamBlob,
    target: SpoolFile,
    stated: number | undefined,
  ): Promise<Descriptor> {
    const hash = digester(digest);
    let seen = 0;
    for await (const chunk of blob.body) {
      seen += chunk.byteLength;
      if (seen > (stated ?? unstatedSizeLimit)) break;
      const next = target.append(chunk);
      if (seen === chunk.byteLength && stated !== undefined) announce({ digest, size: stated });
      hash.update(chunk);
      await next;
    }
    const descriptor = { digest, size: stated ?? seen };
    if (seen !== descriptor.size || !isMatch(hash, digest)) throw mismatch(descriptor, seen);
    isRight = true;
    if (descriptor.size === 0 || stated === undefined) announce(descriptor);
    changed.wake();
    await target.flush();
    return descriptor;
  }

  async function save(descriptor: Descriptor): Promise<boolean> {
    try {
      await store.put(descriptor, read({ start: 0, end: descriptor.size - 1 }), { signal: control.signal });
      return true;
    } catch (error) {
      if (failure === undefined && !hasGivenWay()) options.storeFailed(error);
      return false;
    }
  }

  async function keep(descriptor: Descriptor, target: SpoolFile): Promise<boolean> {
    if (store.adopt === undefined) return (await saving) ?? false;
    try {
      if (!(await store.adopt(descriptor, target.path))) return await save(descriptor);
      target.adopted();
      return true;
    } catch (error) {
      options.storeFailed(error);
      return false;
    }
  }

  async function run(): Promise<FillOutcome> {
    try {
      const descriptor = await download();
      return file !== undefined && (await keep(descriptor, file)) ? 'stored' : 'store';
    } catch (thrown) {
      const { reason } = control.signal;
      const error: unknown = reason instanceof GaveWay ? reason : thrown;
      failure = error;
      opened.promise.catch(() => undefined);
      opened.reject(error);
      changed.wake();
      await saving;
      return error instanceof NoRoom || error instanceof GaveWay ? error.why : 'failed';
    } finally {
      await file?.release();
    }
  }

  return {
    opened: opened.promise,
    settled: run(),
    distanceTo(offset) {
      const length = file?.length ?? 0;
      const bytes = isRight ? 0 : Math.max(0, offset - length);
      return { bytes, ms: (bytes * (performance.now() - startedAt)) / Math.max(length, 1) };
    },
    read,
    abort: () => control.abort(new RegistryError('UNAVAILABLE', 'the service is shutting down')),
  };
}
