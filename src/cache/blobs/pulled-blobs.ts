import type { ByteRange, Bytes, Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../oci/reference.ts';
import type { StoredFile } from '../../store/stored-file.ts';
import type { Hit } from '../events.ts';
import type { BrokenRead } from '../fills/failover-read.ts';

export interface BlobReadOptions {
  readonly signal?: AbortSignal;
  /** Wait for the running download even if the range starts far ahead: for range lists. */
  readonly follows?: boolean;
  /** The first bytes were sent from the file of the blob, which broke then. */
  readonly after?: BrokenRead;
}

/** Who asks for a blob. */
export interface BlobAsk {
  /** For the log line of a download that this request begins. */
  readonly requestId?: string;
  /** Only what is stored, or being downloaded; throws NotCached for the rest. Default: false. */
  readonly onlyIfCached?: boolean;
  /** All of it is read, and at once: then it may be opened already. Default false. */
  readonly isRead?: boolean;
}

/** A blob that can be delivered. Holds nothing until it is read, unless `isRead` was said. */
export interface OpenedBlob {
  readonly descriptor: Descriptor;
  /** The source of its bytes; another one once a reader had to change it. */
  readonly hit: Hit;
  /** All of it, or a range within it. When a source breaks, the next one continues at that byte. */
  read(range?: ByteRange, options?: BlobReadOptions): Bytes;
  /** All of it, where that is small and in memory. */
  readonly bytes?: Uint8Array;
  /**
   * The blob as an open file that needs no further verification, where it is one, for that range.
   * Where the file breaks, `read` continues `after` it. Undefined if it cannot be opened. Never
   * throws.
   */
  openFile?(range: ByteRange): Promise<StoredFile | undefined>;
}

/** A blob of which no byte is asked for. */
export interface KnownBlob {
  readonly descriptor: Descriptor;
  /** `memory` when it was known, `upstream` when that had to be asked. */
  readonly hit: Hit;
}

/** The blobs of one upstream, through the cache. */
export interface PulledBlobs {
  /** What is known of the blob; throws `BLOB_UNKNOWN` when that repository has no such blob. */
  stat(repository: Repository, digest: Digest): Promise<KnownBlob>;
  /** Throws `BLOB_UNKNOWN` likewise, and the upstream's refusal when no source has the blob. */
  open(repository: Repository, digest: Digest, asked?: BlobAsk): Promise<OpenedBlob>;
}
