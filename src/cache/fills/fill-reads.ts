import type { Hash } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { Notifier } from '../../base/flow/notifier.ts';
import { anySignal } from '../../base/time/wait.ts';
import type { ByteRange, Bytes, Descriptor } from '../../oci/content.ts';
import { digester } from '../../oci/digest.ts';
import { isWhole, lengthOf } from '../../oci/range.ts';
import type { Growth } from '../../store/sending/file-bytes.ts';
import type { KernelSend } from '../../store/sending/kernel-send.ts';
import { KernelSending } from '../../store/sending/kernel-sending.ts';
import type { ByteSink, StoredFile } from '../../store/stored-file.ts';
import { GaveWay, SpoolError, type SpoolFile } from './spool.ts';

interface FillReadsOptions {
  readonly descriptor: Descriptor;
  readonly file: SpoolFile;
  /** All of it came and proved right. */
  readonly isRight: () => boolean;
  /** What the download failed with. */
  readonly failure: () => { readonly error: unknown } | undefined;
  /** Aborts where its room is needed for others, and at the end of the process. */
  readonly ended: AbortSignal;
  /** Told of each byte that came, and of the end. */
  readonly changed: Notifier;
}

/** So far behind the writer, bytes, the kernel sends: about what memory no longer holds. */
const behindBytes = 1024 * 1024;

/**
 * What readers see of a download: the part of its file that has come. The last byte of the blob is
 * withheld until the whole is right.
 */
export class FillReads {
  readonly #options: FillReadsOptions;

  constructor(options: FillReadsOptions) {
    this.#options = options;
  }

  /** As `Fill.read` says. */
  async *read(range: ByteRange, signal: AbortSignal | undefined, from: number): Bytes {
    const { file, changed, failure } = this.#options;
    if (!file.hold()) throw failure()?.error ?? new SpoolError('the spool file was removed');
    signal?.addEventListener('abort', changed.notify);
    let position = from;
    try {
      for await (const chunk of file.read({ ...range, start: from }, this.#growth(), signal)) {
        position += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      throw error instanceof SpoolError ? await this.#broken(error, range, position) : error;
    } finally {
      signal?.removeEventListener('abort', changed.notify);
      await file.release();
    }
  }

  /** As `Fill.openFile` says. */
  async openFile(range: ByteRange, kernel: KernelSend): Promise<StoredFile | undefined> {
    const { file } = this.#options;
    if (lengthOf(range) < behindBytes || file.length <= range.start || !file.hold()) return undefined;
    try {
      const fd = await file.reopened();
      return {
        sendTo: (sink, asked, signal) => this.#send(fd, kernel, { sink, range: asked, signal }),
        close() {
          closeSync(fd);
          void file.release();
        },
      };
    } catch {
      await file.release();
      return undefined;
    }
  }

  /** By the kernel while the reader is behind, else chunk by chunk from memory. */
  async #send(fd: number, kernel: KernelSend, { sink, range, signal }: SendingFill): Promise<void> {
    const { ended, failure } = this.#options;
    const counted = new CountedSink(sink, range.start);
    const until = anySignal(signal, ended);
    let mayUseKernel = true;
    try {
      while (counted.position <= range.end) {
        const end = this.#settledEnd(range);
        if (mayUseKernel && end - counted.position >= behindBytes) {
          const part = { start: counted.position, end: end - 1 };
          const sending = new KernelSending({ kernel, fd, range: part, sink: counted, signal: until });
          mayUseKernel = (await sending.run()) === end;
        } else {
          await this.#follow(counted, { range, signal, mayUseKernel });
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      // `read` throws it as well, whatever of the file is left.
      if (failure()?.error === error) throw error;
      throw await this.#broken(error, range, counted.position);
    }
  }

  /** Until all is sent, or the reader is far enough behind for the kernel. */
  async #follow(sink: CountedSink, { range, signal, mayUseKernel }: FollowingFill): Promise<void> {
    for await (const chunk of this.read(range, signal, sink.position)) {
      await sink.took(chunk, signal);
      if (mayUseKernel && this.#settledEnd(range) - sink.position >= behindBytes) return;
    }
  }

  /** Behind the last byte of the range that is on the disk and may be sent. */
  #settledEnd({ end }: ByteRange): number {
    const { file, isRight, descriptor } = this.#options;
    return Math.min(end + 1, file.written, isRight() ? descriptor.size : descriptor.size - 1);
  }

  /** The readable length, and when to check again. A reader holds room that others need. */
  #growth(): Growth {
    const { file, isRight, descriptor, ended, failure, changed } = this.#options;
    return {
      readable() {
        if (ended.reason instanceof GaveWay) throw ended.reason;
        return isRight() ? descriptor.size : Math.min(file.length, descriptor.size - 1);
      },
      more() {
        const failed = failure();
        return failed === undefined ? changed.wait() : Promise.reject(failed.error);
      },
    };
  }

  /** What another source must know to go on behind so many bytes, of which none was verified. */
  async #broken(cause: unknown, range: ByteRange, position: number): Promise<SpoolError> {
    const { descriptor, isRight } = this.#options;
    const isUnverified = isWhole(range, descriptor) && !isRight();
    if (cause instanceof SpoolError && (!isUnverified || cause.delivered !== undefined)) return cause;
    const message = cause instanceof Error ? cause.message : 'the spool file cannot be sent';
    return new SpoolError(message, {
      cause,
      ...(isUnverified && { delivered: await this.#hashed(position) }),
    });
  }

  /**
   * Of the first bytes of the file, which stay readable where the disk takes no more. Where they
   * do not, a hash that nothing fits.
   */
  async #hashed(length: number): Promise<Hash> {
    const { file, descriptor } = this.#options;
    const hash = digester(descriptor.digest);
    const there: Growth = { readable: () => length, more: () => Promise.resolve() };
    try {
      for await (const chunk of file.read({ start: 0, end: length - 1 }, there)) hash.update(chunk);
      return hash;
    } catch {
      return digester(descriptor.digest).update('unreadable');
    }
  }
}

interface SendingFill {
  readonly sink: ByteSink;
  readonly range: ByteRange;
  readonly signal: AbortSignal;
}

interface FollowingFill extends Omit<SendingFill, 'sink'> {
  readonly mayUseKernel: boolean;
}

/** The same sink, and how far it has come. */
class CountedSink implements ByteSink {
  readonly #sink: ByteSink;
  /** The byte after the last one that it took. */
  position: number;

  constructor(sink: ByteSink, start: number) {
    this.#sink = sink;
    this.position = start;
  }

  write(chunk: Uint8Array, taken: Parameters<ByteSink['write']>[1]): void {
    this.#sink.write(chunk, (error) => {
      if (error === undefined || error === null) this.position += chunk.byteLength;
      taken(error);
    });
  }

  socket(): ReturnType<NonNullable<ByteSink['socket']>> {
    const found = this.#sink.socket?.();
    return (
      found && {
        fd: found.fd,
        passed: (bytes) => {
          this.position += bytes;
          found.passed(bytes);
        },
      }
    );
  }

  /** Resolves when the chunk was taken. A client that leaves may never take it. */
  async took(chunk: Uint8Array, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave);
    try {
      this.write(chunk, (error) => (error === undefined || error === null ? resolve() : reject(error)));
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }
}
