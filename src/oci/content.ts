// Room `oci`: the words of the distribution spec: digests, references, manifests, requests, errors.
// In: text and bytes from outside. Out: branded values, or a RegistryError. Imports: base.

import { type Digest, digester, isMatch } from './digest.ts';
import { RegistryError } from './errors.ts';

/**
 * A body. A chunk is **borrowed**: it may be overwritten once the next one is requested, so finish
 * with it first (wait for the write) or copy it. Ends normally only when every byte came; otherwise
 * throws. Leaving the loop early releases the body's resources.
 */
export type Bytes = AsyncIterable<Uint8Array>;

/** A descriptor of content (image-spec, "Descriptor"), reduced to what a cache needs. */
export interface Descriptor {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** As the upstream or the referring manifest states it; blobs of unknown type have none. */
  readonly mediaType?: string;
  /** For whom it is, as `os/architecture`, where an index says so. */
  readonly platform?: string;
  /** Other URLs of the bytes, to be verified by their reader (image-spec, "Descriptor"). */
  readonly urls?: readonly string[];
}

/** Bytes `start` to `end`, both inclusive, as `Content-Range` counts them. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface ReadOptions {
  /** The part wanted; all of it without. Must lie within the content: see range.ts. */
  readonly range?: ByteRange;
  /** Ends the read when the reader is gone. */
  readonly signal?: AbortSignal;
  /** For upkeep: reads the medium itself, past a nearer copy, and leaves none. Default false. */
  readonly isUpkeep?: boolean;
}

/** An opened blob or manifest. Iterate `body` once, or call `close`. */
export interface Content {
  readonly descriptor: Descriptor;
  /** What `body` holds, when it is not everything. */
  readonly range?: ByteRange;
  /** True for a copy on a disk of ours, which was verified before it got its name. */
  readonly isNearCopy?: boolean;
  readonly body: Bytes;
  /**
   * For the reader whose hash does not fit: the nearer copy that bytes came from is taken away.
   * Resolves to false where none came from one, so that the blob of the medium itself is wrong.
   * Never rejects. Default: none is nearer.
   */
  distrust?(): Promise<boolean>;
  /** Releases the content unread. Harmless after the body was read. */
  close(): Promise<void>;
}

/** Where content can be had by its digest. */
export interface BlobSource {
  /** The descriptor, or undefined when it is not here; throws when that cannot be told. */
  stat(digest: Digest, options?: { readonly signal?: AbortSignal }): Promise<Descriptor | undefined>;
  /** The bytes, or undefined when they are not here; throws when that cannot be told. */
  open(digest: Digest, options?: ReadOptions): Promise<Content | undefined>;
}

interface BlobSink {
  /**
   * Stores the content. Resolves once it is complete, verified against `descriptor` and durable;
   * until then, and when it throws, readers see nothing of it. Storing it again is no error.
   */
  put(descriptor: Descriptor, bytes: Bytes, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

/** One piece of content in a listing. */
export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
  /** When it was stored, milliseconds since the epoch. */
  readonly storedAt: number;
}

export interface ListOptions {
  readonly after?: Digest;
  readonly signal?: AbortSignal;
}

/** Content kept by digest, shared by all repositories; who may read it is not its business. */
export interface BlobStore extends BlobSource, BlobSink {
  /** Takes the content away; readers that have it open read on. Absent is not an error. */
  delete(digest: Digest): Promise<void>;
  /** All stored content, in the order of digests, after `after` if given. */
  list(options?: ListOptions): AsyncIterable<StoredBlob>;
}

/**
 * The same bytes, verified: another size or digest throws `UPSTREAM_INVALID`. The last chunk is
 * passed on after the check, so that no reader ever holds the whole of a wrong body.
 */
export async function* verified(
  bytes: Bytes,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = digester(descriptor.digest);
  let seen = 0;
  for await (const chunk of bytes) {
    hash.update(chunk);
    seen += chunk.byteLength;
    if (seen > descriptor.size) throw mismatch(descriptor, seen);
    if (seen < descriptor.size) {
      yield chunk;
    } else {
      if (!isMatch(hash, descriptor.digest)) throw mismatch(descriptor, seen);
      yield chunk;
      return;
    }
  }
  if (seen !== descriptor.size || !isMatch(hash, descriptor.digest)) throw mismatch(descriptor, seen);
}

/** The refusal of bytes that are not what their digest or size says. */
export function mismatch({ digest, size }: Descriptor, seen: number): ContentMismatch {
  return new ContentMismatch('UPSTREAM_INVALID', 'the content does not match its digest or size', {
    detail: { digest, size, seen },
  });
}

/** What the bytes came from is at fault, not what they were for. */
export class ContentMismatch extends RegistryError {}

/** A registry has another manifest under a digest than that digest names. */
export class ManifestMismatch extends RegistryError {}

/** Whether the error says that bytes are too few, too many, or others than their digest names. */
export function isWrongContent(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'UPSTREAM_INVALID';
}

/** A body of one chunk. */
export async function* bytesOf(chunk: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  if (chunk.byteLength > 0) yield chunk;
}

/** The whole of a small body in memory; throws `SIZE_INVALID` past `maxBytes`. */
export async function collected(bytes: Bytes, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new RegistryError('SIZE_INVALID', 'the content is larger than its limit', {
        detail: { maxBytes },
      });
    }
    // Not slice(): a Buffer's shares its memory with the borrowed chunk.
    chunks.push(new Uint8Array(chunk));
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
}
