import type { ByteRange } from '../oci/content.ts';

/** A complete blob in an open file of this machine. Close it once, after the last `sendTo`. */
export interface StoredFile {
  /**
   * Hands the range to the sink, in order, and resolves when the sink has taken its last byte.
   * Rejects when the file cannot be read or ends early (`UPSTREAM_INVALID`), with what the sink
   * failed with, and with the signal's reason; nothing of it is under way then.
   */
  sendTo(sink: ByteSink, range: ByteRange, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What takes the bytes of a file, such as a response. */
export interface ByteSink {
  /**
   * Takes a chunk, which is **borrowed** until `taken` is called: with nothing, or with what the
   * sink failed with. One chunk at a time.
   */
  write(chunk: Uint8Array, taken: (error?: Error | null) => void): void;
}
