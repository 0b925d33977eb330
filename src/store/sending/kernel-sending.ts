import { closeSync, read } from 'node:fs';
import type { ByteRange } from '../../oci/content.ts';
import type { ByteSink, SinkSocket } from '../stored-file.ts';
import { truncated, unreadable } from './file-bytes.ts';
import type { KernelSend } from './kernel-send.ts';

interface KernelSendingOptions {
  readonly kernel: KernelSend;
  /** Of an open file that is this sending's alone, and stays open until `run` has settled. */
  readonly fd: number;
  readonly range: ByteRange;
  readonly sink: ByteSink;
  readonly signal: AbortSignal;
}

/** What goes through the sink where the socket is full. */
const pieceBytes = 16 * 1024;
/** More would keep other sockets from their turn where a disk is slow. */
const mostBytes = 2 * 1024 * 1024;
/** So many attempts in a row that send nothing: the kernel cannot, and the sink is left with it. */
const mostFailures = 8;

/**
 * Sends a range of a complete file within the kernel. Where the socket is full, a piece goes
 * through the sink: its callback says that the socket takes bytes again, and neither a thread nor a
 * turn waits for that. A slow reader holds that piece.
 *
 * The kernel is given a second descriptor of the socket. A connection may close while a thread
 * sends, and its number may at once be that of another client's.
 */
export class KernelSending {
  readonly #options: KernelSendingOptions;
  readonly #settling = Promise.withResolvers<number>();
  #position: number;
  #buffer: Uint8Array | undefined;
  #socket: number | undefined;
  #state: 'reading' | 'lent' | 'sending' | 'idle' = 'idle';
  /** The socket took a piece just now: if it is not ready yet, it never is. */
  #hasWaited = false;
  #failures = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: KernelSendingOptions) {
    this.#options = options;
    this.#position = options.range.start;
  }

  /**
   * Resolves to the byte after the last one that was sent: before the end of the range where the
   * kernel cannot send to that sink, or from that file. Rejects as `StoredFile.sendTo` does.
   */
  run(): Promise<number> {
    const { signal } = this.#options;
    if (signal.aborted) this.#failure = { error: signal.reason };
    signal.addEventListener('abort', this.#aborted);
    this.#advance('kernel');
    return this.#settling.promise;
  }

  #advance(by: 'piece' | 'kernel'): void {
    if (this.#failure !== undefined || this.#left === 0) this.#finish();
    else if (by === 'piece') this.#read();
    else this.#send();
  }

  #read(): void {
    this.#state = 'reading';
    this.#buffer ??= Buffer.allocUnsafeSlow(Math.min(pieceBytes, this.#left));
    const length = Math.min(this.#buffer.byteLength, this.#left);
    read(this.#options.fd, this.#buffer, 0, length, this.#position, this.#wasRead);
  }

  readonly #wasRead = (error: Error | null, bytesRead: number, buffer: Uint8Array): void => {
    if (error !== null) this.#failure ??= { error: unreadable(error) };
    else if (bytesRead === 0) this.#failure ??= { error: truncated(this.#position, this.#options.range.end) };
    if (this.#failure === undefined) this.#write(buffer.subarray(0, bytesRead));
    else this.#finish();
  };

  #write(piece: Uint8Array): void {
    this.#state = 'lent';
    try {
      this.#options.sink.write(piece, (error) => this.#taken(piece.byteLength, error));
    } catch (error) {
      this.#taken(0, error);
    }
  }

  #taken(bytes: number, error: unknown): void {
    if (this.#state !== 'lent') return;
    if (error === undefined || error === null) this.#position += bytes;
    else this.#failure ??= { error };
    this.#hasWaited = true;
    this.#advance('kernel');
  }

  #send(): void {
    const socket = this.#socketOrNone();
    const descriptor = socket && this.#duplicateOf(socket);
    if (descriptor === undefined) {
      if (this.#hasWaited || this.#failure !== undefined) this.#finish();
      else this.#read();
      return;
    }
    this.#hasWaited = false;
    this.#state = 'sending';
    const length = Math.min(mostBytes, this.#left);
    const { fd: file, signal } = this.#options;
    const request = { socket: descriptor, file, position: this.#position, length, signal };
    this.#options.kernel.send(request, (bytes) => this.#wasSent(bytes, length, socket));
  }

  #socketOrNone(): SinkSocket | undefined {
    try {
      return this.#options.sink.socket?.();
    } catch (error) {
      this.#failure ??= { error };
      return undefined;
    }
  }

  #duplicateOf({ fd }: SinkSocket): number | undefined {
    try {
      this.#socket ??= this.#options.kernel.duplicate(fd);
      return this.#socket;
    } catch {
      return undefined;
    }
  }

  #wasSent(bytes: number, length: number, socket: SinkSocket | undefined): void {
    this.#failures = bytes > 0 ? 0 : this.#failures + 1;
    if (bytes === 0) this.#failure ??= { error: truncated(this.#position, this.#options.range.end) };
    if (bytes > 0) {
      this.#position += bytes;
      socket?.passed(bytes);
    }
    if (this.#failures === mostFailures) this.#finish();
    else this.#advance(bytes === length ? 'kernel' : 'piece');
  }

  readonly #aborted = (): void => {
    this.#failure ??= { error: this.#options.signal.reason };
    if (this.#state === 'lent') this.#finish();
  };

  /** Neither the disk nor the kernel nor the sink has anything of this. */
  #finish(): void {
    this.#state = 'idle';
    this.#options.signal.removeEventListener('abort', this.#aborted);
    if (this.#socket !== undefined) closeSync(this.#socket);
    if (this.#failure === undefined) this.#settling.resolve(this.#position);
    else this.#settling.reject(this.#failure.error);
  }

  get #left(): number {
    return this.#options.range.end + 1 - this.#position;
  }
}
