import { read } from 'node:fs';
import type { ByteRange } from '../../oci/content.ts';
import type { BufferPair, BufferPool, OneBuffer } from '../buffers.ts';
import type { ByteSink } from '../stored-file.ts';
import { smallBytes, truncated, unreadable } from './file-bytes.ts';
import { Pace } from './pace.ts';

interface FileSendingOptions {
  /** Of an open file, which must stay open until `done` has settled. */
  readonly fd: number;
  readonly range: ByteRange;
  readonly sink: ByteSink;
  /** Where large buffers come from. */
  readonly pool: BufferPool;
  /** The sink is gone: a chunk that it has is no longer read. */
  readonly signal: AbortSignal;
}

/**
 * Sends a range of a complete file to a sink: `fileBytes` with its buffers, and with one callback
 * for each read and each write in place of a chain of generators.
 */
export class FileSending {
  readonly #options: FileSendingOptions;
  readonly #settling = Promise.withResolvers<void>();
  readonly #pace = new Pace();
  /** The next byte to read. */
  #position: number;
  #large: BufferPair | OneBuffer | undefined;
  #turn = 0;
  #small: Uint8Array | undefined;
  /** What is being read into. */
  #target: Uint8Array | undefined;
  /** Read, and not given to the sink. */
  #ready: Uint8Array | undefined;
  /** The sink has it. */
  #lent: Uint8Array | undefined;
  #lentAtMs = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: FileSendingOptions) {
    this.#options = options;
    this.#position = options.range.start;
  }

  /** As `StoredFile.sendTo` says. */
  run(): Promise<void> {
    const { signal } = this.#options;
    if (signal.aborted) this.#failure = { error: signal.reason };
    signal.addEventListener('abort', this.#aborted);
    this.#advance();
    return this.#settling.promise;
  }

  #advance(): void {
    if (this.#failure !== undefined) this.#finish();
    else if (this.#lent !== undefined) return;
    else if (this.#ready !== undefined) this.#write(this.#ready);
    else if (this.#target !== undefined) return;
    else if (this.#left > 0) this.#read();
    else this.#finish();
  }

  /** The disk is read while the sink drains. */
  #write(chunk: Uint8Array): void {
    this.#ready = undefined;
    this.#lent = chunk;
    this.#lentAtMs = performance.now();
    try {
      this.#options.sink.write(chunk, this.#taken);
    } catch (error) {
      this.#taken(error instanceof Error ? error : new Error(String(error)));
    }
    const isAhead = this.#large?.length === 2 && this.#pace.isOn && this.#left > 0;
    if (isAhead && this.#target === undefined && this.#failure === undefined) this.#read();
  }

  readonly #taken = (error?: Error | null): void => {
    const chunk = this.#lent;
    if (chunk === undefined) return;
    this.#lent = undefined;
    this.#pace.learn(chunk.byteLength, this.#lentAtMs);
    if (error !== undefined && error !== null) this.#failure ??= { error };
    this.#advance();
  };

  #read(): void {
    const target = this.#free();
    this.#target = target;
    const length = Math.min(target.byteLength, this.#left);
    read(this.#options.fd, target, 0, length, this.#position, this.#wasRead);
  }

  readonly #wasRead = (error: Error | null, bytesRead: number): void => {
    const target = this.#target;
    this.#target = undefined;
    if (error !== null) this.#failure ??= { error: unreadable(error) };
    else if (bytesRead === 0) this.#failure ??= { error: truncated(this.#position, this.#options.range.end) };
    else this.#ready = bytesRead === target?.byteLength ? target : target?.subarray(0, bytesRead);
    this.#position += bytesRead;
    this.#advance();
  };

  /** A buffer that neither the disk nor the sink has. */
  #free(): Uint8Array {
    const { pool } = this.#options;
    if (this.#lent === undefined && !this.#pace.isFast) this.#giveBack();
    if (this.#large === undefined && this.#pace.isFast && this.#left > smallBytes)
      this.#large = pool.takePair() ?? pool.takeOne();
    if (this.#large === undefined) {
      this.#small ??= Buffer.allocUnsafeSlow(Math.min(smallBytes, this.#left));
      return this.#small;
    }
    this.#turn += 1;
    return this.#large[this.#turn % this.#large.length] ?? this.#large[0];
  }

  readonly #aborted = (): void => {
    this.#lent = undefined;
    this.#failure ??= { error: this.#options.signal.reason };
    this.#advance();
  };

  /** Settles once neither the disk nor the sink has a buffer. */
  #finish(): void {
    if (this.#target !== undefined || this.#lent !== undefined) return;
    this.#options.signal.removeEventListener('abort', this.#aborted);
    this.#giveBack();
    if (this.#failure === undefined) this.#settling.resolve();
    else this.#settling.reject(this.#failure.error);
  }

  #giveBack(): void {
    if (this.#large !== undefined) this.#options.pool.giveBack(this.#large);
    this.#large = undefined;
  }

  get #left(): number {
    return this.#options.range.end + 1 - this.#position;
  }
}
