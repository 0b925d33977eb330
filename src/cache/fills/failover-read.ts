import type { Hash } from 'node:crypto';
import { type ByteRange, type Bytes, ContentMismatch, type Descriptor, mismatch } from '../../oci/content.ts';
import { isMatch } from '../../oci/digest.ts';

/** Bytes of exactly the range it is asked for; it may break anywhere. */
export type ByteSource = (rest: ByteRange) => Bytes;

/** How far a source went, and what it broke with. */
export interface BrokenRead {
  /** The byte after the last one that was delivered. */
  readonly position: number;
  readonly error: unknown;
}

/** A source broke that another one can replace at the byte reached. */
export class BrokenSource extends Error {
  override readonly name: string = 'BrokenSource';
  /** The hash of its bytes, from the first one, of a whole unverified blob. */
  readonly delivered: Hash | undefined;

  constructor(
    message: string,
    { delivered, ...options }: { readonly cause?: unknown; readonly delivered?: Hash | undefined } = {},
  ) {
    super(message, options);
    this.delivered = delivered;
  }
}

/**
 * The same bytes. Where they prove wrong before the first one is passed on, another source may do:
 * what a member sends says nothing of the upstream's bytes.
 */
export async function* replaceable(bytes: Bytes): AsyncGenerator<Uint8Array, void, undefined> {
  let isBegun = false;
  try {
    for await (const chunk of bytes) {
      isBegun = true;
      yield chunk;
    }
  } catch (error) {
    if (isBegun || !(error instanceof ContentMismatch)) throw error;
    throw new BrokenSource(error.message, { cause: error });
  }
}

/**
 * The bytes of a range from the first source; where that breaks or ends early, the next one goes on
 * at the byte reached. A reader sees one unbroken body. Where bytes of a whole blob came from a
 * source that broke before they were verified, the last chunk is withheld until the whole fits the
 * digest: two halves of different blobs never make one. The first bytes may have come already, from
 * a source that broke `after` them. Throws what the last source threw, at once
 * what is no BrokenSource, and `UPSTREAM_INVALID` when the whole does not fit.
 */
export async function* failoverRead(
  descriptor: Descriptor,
  range: ByteRange,
  sources: readonly ByteSource[],
  after: BrokenRead = { position: range.start, error: undefined },
): AsyncGenerator<Uint8Array, void, undefined> {
  let start = after.position;
  let unverified: Hash | undefined;
  if (start > range.start && after.error instanceof BrokenSource) unverified = after.error.delivered;
  let failure: unknown = new Error('a body ended before its last byte');
  for (const source of sources) {
    try {
      for await (const chunk of source({ start, end: range.end })) {
        start += chunk.byteLength;
        unverified?.update(chunk);
        if (unverified !== undefined && start > range.end && !isMatch(unverified, descriptor.digest))
          throw mismatch(descriptor, start);
        yield chunk;
      }
      if (start > range.end) return;
    } catch (error) {
      if (!(error instanceof BrokenSource)) throw error;
      if (start > range.start) unverified ??= error.delivered;
      failure = error;
    }
  }
  throw failure;
}
