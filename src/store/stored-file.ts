import type { ByteRange } from '../oci/content.ts';

/** A complete blob in an open file of this machine. Close it once, after the last `sendTo`. */
export interface StoredFile {
  /**
   * Hands the range to the sink, in order, and resolves when the sink has taken its last byte.
   * Rejects when the file cannot be read (`UNAVAILABLE`) or ends early (`UPSTREAM_INVALID`), with
   * what the sink failed with, and with the signal's reason; nothing of it is under way then.
   */
  sendTo(sink: ByteSink, range: ByteRange, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** What takes the bytes of a file, such as a response. */
export interface ByteSink {
  /**
   * Takes a chunk, which is **borrowed** until `taken` is called: with nothing, or with what the
   * sink failed with. One chunk at a time.
   */
  write(chunk: Uint8Array, taken: (error?: Error | null) => void): void;
  /**
   * The socket that the bytes go to, unchanged, while nothing waits to be written to it; what must
   * precede the bytes is written. Undefined where there is none: it is encrypted here, closed, or
   * still has something.
   */
  socket?(): SinkSocket | undefined;
}

/** A socket that the kernel may write to until the next `write`. */
export interface SinkSocket {
  readonly fd: number;
  /** The socket has taken so many bytes, not through `write`. */
  passed(bytes: number): void;
}
