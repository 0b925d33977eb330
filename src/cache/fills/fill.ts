// Room `cache/fills`: downloads under way, each a file in the spool with any number of readers. In:
// a body of an upstream or a bucket. Out: verified bytes for readers, and the blob for the store.
// Imports: base, oci, store, store/sending; types of cache, store/disk-tier, store/filesystem.

import { createNotifier } from '../../base/flow/notifier.ts';
import { isDiskFull } from '../../base/state/medium-fault.ts';
import { type ByteRange, type Bytes, type Descriptor, mismatch } from '../../oci/content.ts';
import { type Digest, digester, isMatch } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { BytesOrigin, OpenBlob } from '../../oci/registry-reader.ts';
import type { CachedBlobs } from '../../store/store.ts';
import type { StoredFile } from '../../store/stored-file.ts';
import type { FillOutcome, NotKept } from '../events.ts';
import { FillReads } from './fill-reads.ts';
import { GaveWay, type Spool, SpoolError, type SpoolFile, unwritable } from './spool.ts';

export interface FillOptions {
  readonly digest: Digest;
  /** The size that a manifest states, for upstreams that state none. */
  readonly size: number | undefined;
  /** Undefined when the upstream has none. `sourced` is called as BlobOptions says. */
  readonly origin: (
    signal: AbortSignal,
    sourced: (source: BytesOrigin) => void,
  ) => Promise<OpenBlob | undefined>;
  readonly spool: Spool;
  readonly store: Pick<CachedBlobs, 'adopt' | 'keep' | 'put'>;
  /** Whether what that member downloads is stored by it for this process too. Default: false. */
  readonly isStoredBy?: (member: string) => boolean;
  /** The store could not keep the blob; the readers do not notice. */
  readonly storeFailed: (error: unknown) => void;
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

/** The most that is downloaded of a blob of unknown size. */
const unstatedSizeLimit = 1024 ** 3;

/**
 * How far a download has come. The file of a failed one stays readable for those who hold it, whole
 * where only the disk failed after the bytes proved right.
 */
type FillState =
  | { readonly name: 'opening'; readonly file?: undefined; readonly isRight?: undefined }
  | { readonly name: 'receiving'; readonly file: SpoolFile; readonly isRight: false }
  | { readonly name: 'verified'; readonly file: SpoolFile; readonly isRight: true }
  | {
      readonly name: 'failed';
      readonly file: SpoolFile | undefined;
      readonly isRight: boolean;
      readonly error: unknown;
    };

/**
 * One download of one digest, owned by no request. It writes into the spool at its own pace, hashes
 * on the way, and puts the blob into the store once it is complete and verified. Readers follow the
 * spool, each at its own offset and pace.
 */
export class Fill {
  /**
   * The descriptor, once the first byte is there; of an empty blob, which has no last byte to
   * withhold, and of one of unknown size, once it is verified. Rejects with `BLOB_UNKNOWN` when the
   * upstream has no such blob, with the upstream's refusal, and with NoRoom when the spool is full.
   */
  readonly opened: Promise<Descriptor>;
  /** Never rejects. Resolves to whether the whole blob came and proved right. */
  readonly proven: Promise<boolean>;
  /** Never rejects. Resolves when the blob is in the store, or will not be. */
  readonly settled: Promise<FillOutcome>;
  readonly #options: FillOptions;
  readonly #control = new AbortController();
  readonly #opening = Promise.withResolvers<Descriptor>();
  readonly #proving = Promise.withResolvers<boolean>();
  readonly #changed = createNotifier();
  readonly #startedAt = performance.now();
  #state: FillState = { name: 'opening' };
  /** As the upstream or a manifest states it. */
  #size: number | undefined;
  #source: BytesOrigin = { from: 'registry' };
  #storeFailure: unknown;
  /** The store reads along, where it does not adopt the file. */
  #saving: Promise<boolean> | undefined;

  /** Starts the download. */
  constructor(options: FillOptions) {
    this.#options = options;
    this.opened = this.#opening.promise;
    this.proven = this.#proving.promise;
    this.settled = this.#run();
  }

  /** Why it is not stored, once it has settled: a failure of the source, the spool or the store. */
  get failure(): unknown {
    return this.#state.name === 'failed' ? this.#state.error : this.#storeFailure;
  }

  get source(): BytesOrigin {
    return this.#source;
  }

  /** The replica whose download this one follows; undefined while the upstream itself sends it. */
  get followed(): string | undefined {
    return this.#source.replica;
  }

  /** How far it has come. The size is absent until it is stated. */
  get progress() {
    const receivedBytes = this.#state.file?.length ?? 0;
    return { receivedBytes, size: this.#size, runsMs: performance.now() - this.#startedAt };
  }

  /** Distance of the download from `offset`: in bytes, and in ms at its speed. 0: reached. */
  distanceTo(offset: number): { readonly bytes: number; readonly ms: number } {
    const length = this.#state.file?.length ?? 0;
    const bytes = this.#state.isRight === true ? 0 : Math.max(0, offset - length);
    return { bytes, ms: (bytes * (performance.now() - this.#startedAt)) / Math.max(length, 1) };
  }

  /**
   * Follows the download. The last byte of the blob is withheld until the whole is verified, so
   * that no reader completes a wrong body. Throws the failure of the download, SpoolError for a
   * failure of our disk only, and the signal's reason. A reader that has the bytes before `from`
   * begins there.
   */
  async *read(range: ByteRange, signal?: AbortSignal, from = range.start): Bytes {
    const { size } = await this.opened;
    const { file } = this.#state;
    if (file === undefined) throw new SpoolError('the spool file was removed');
    yield* this.#readsOf(file, size).read(range, signal, from);
  }

  /**
   * The same as a file, most of which the kernel sends: undefined where it does not, and for what
   * is short, or not there yet.
   */
  async openFile(range: ByteRange): Promise<StoredFile | undefined> {
    const { size } = await this.opened;
    const kernel = await this.#options.spool.kernel;
    const { file } = this.#state;
    return file && kernel && this.#readsOf(file, size).openFile(range, kernel);
  }

  abort(): void {
    this.#control.abort(new RegistryError('UNAVAILABLE', 'the service is shutting down'));
  }

  async #run(): Promise<FillOutcome> {
    try {
      const { descriptor, file } = await this.#download();
      if (this.#isKeptElsewhere) {
        await this.#keepNear(descriptor, file);
        return 'followed';
      }
      if (await this.#keep(descriptor, file)) return 'stored';
      return isDiskFull(this.#storeFailure) ? 'disk-full' : 'store';
    } catch (thrown) {
      const { reason } = this.#control.signal;
      const error: unknown = reason instanceof GaveWay ? reason : thrown;
      const { file, isRight = false } = this.#state;
      this.#state = { name: 'failed', file, isRight, error };
      this.opened.catch(() => undefined);
      this.#opening.reject(error);
      this.#proving.resolve(isRight);
      this.#changed.notify();
      await this.#saving;
      if (error instanceof NoRoom || error instanceof GaveWay) return error.why;
      return error instanceof SpoolError ? unwritable(error) : 'failed';
    } finally {
      await this.#state.file?.release();
    }
  }

  async #download(): Promise<Received> {
    const { digest, origin, spool, size } = this.#options;
    const blob = await origin(this.#control.signal, (source) => {
      this.#source = source;
    });
    if (blob === undefined)
      throw new RegistryError('BLOB_UNKNOWN', 'the upstream has no such blob', { detail: { digest } });
    try {
      const stated = blob.size ?? size;
      this.#size = stated;
      const file = await spool.file(stated, {
        progressed: this.#changed.notify,
        gaveWay: (error) => this.#control.abort(error),
      });
      if (typeof file === 'string') throw new NoRoom(blob.size, file);
      this.#state = { name: 'receiving', file, isRight: false };
      return { descriptor: await this.#received(blob, file, stated), file };
    } finally {
      blob.close();
    }
  }

  async #received(blob: OpenBlob, file: SpoolFile, stated: number | undefined): Promise<Descriptor> {
    const { digest } = this.#options;
    const hash = digester(digest);
    let seen = 0;
    for await (const chunk of blob.body) {
      seen += chunk.byteLength;
      if (seen > (stated ?? unstatedSizeLimit)) break;
      const next = file.append(chunk);
      if (seen === chunk.byteLength && stated !== undefined) this.#announce({ digest, size: stated });
      hash.update(chunk);
      await next;
    }
    const descriptor = { digest, size: stated ?? seen };
    if (seen !== descriptor.size || !isMatch(hash, digest)) {
      blob.distrust?.();
      throw mismatch(descriptor, seen);
    }
    this.#state = { name: 'verified', file, isRight: true };
    this.#proving.resolve(true);
    if (descriptor.size === 0 || stated === undefined) this.#announce(descriptor);
    this.#changed.notify();
    await file.flush();
    return descriptor;
  }

  /** Asked anew at the end: this download goes on alone when the replica that it follows dies. */
  get #isKeptElsewhere(): boolean {
    return this.followed !== undefined && this.#options.isStoredBy?.(this.followed) === true;
  }

  /** From here on readers may come, and the store reads along unless it takes the file itself. */
  #announce(descriptor: Descriptor): void {
    this.#opening.resolve(descriptor);
    if (this.#options.store.adopt === undefined && !this.#isKeptElsewhere)
      this.#saving = this.#save(descriptor);
  }

  async #keep(descriptor: Descriptor, file: SpoolFile): Promise<boolean> {
    const { store } = this.#options;
    if (store.adopt === undefined) {
      const isStored = (await this.#saving) ?? (await this.#save(descriptor));
      if (isStored) await this.#keepNear(descriptor, file);
      return isStored;
    }
    try {
      if (!(await store.adopt(descriptor, file.path))) return await this.#save(descriptor);
      file.adopted();
      return true;
    } catch (error) {
      this.#notStored(error);
      return false;
    }
  }

  /** What is stored, here or by another replica, may leave its file as a nearer copy. */
  async #keepNear(descriptor: Descriptor, file: SpoolFile): Promise<void> {
    if ((await this.#options.store.keep?.(descriptor, file.path)) === true) file.adopted();
  }

  async #save(descriptor: Descriptor): Promise<boolean> {
    const { signal } = this.#control;
    try {
      const whole = { start: 0, end: descriptor.size - 1 };
      await this.#options.store.put(descriptor, this.read(whole), { signal });
      return true;
    } catch (error) {
      if (this.#state.name !== 'failed' && !(signal.reason instanceof GaveWay)) this.#notStored(error);
      return false;
    }
  }

  #notStored(error: unknown): void {
    this.#storeFailure = error;
    this.#options.storeFailed(error);
  }

  #readsOf(file: SpoolFile, size: number): FillReads {
    return new FillReads({
      descriptor: { digest: this.#options.digest, size },
      file,
      isRight: () => this.#state.isRight === true,
      ended: this.#control.signal,
      failure: () => (this.#state.name === 'failed' ? this.#state : undefined),
      changed: this.#changed,
    });
  }
}

interface Received {
  readonly descriptor: Descriptor;
  readonly file: SpoolFile;
}
