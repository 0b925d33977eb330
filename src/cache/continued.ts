import type { ByteRange, Bytes } from '../oci/content.ts';

/** Bytes of exactly the range it is asked for; it may break anywhere. */
export type Source = (rest: ByteRange) => Bytes;

/**
 * The bytes of a range from the first source; where that breaks or ends early, the next one goes on at the byte reached. A reader
 * sees one unbroken body. Throws what the last source threw, and at once what `isFinal` says no other source can mend.
 */
export async function* continued(
  range: ByteRange,
  sources: readonly Source[],
  isFinal: (error: unknown) => boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  let start = range.start;
  let failure: unknown = new Error('a body ended before its last byte');
  for (const source of sources) {
    try {
      for await (const chunk of source({ start, end: range.end })) {
        start += chunk.byteLength;
        yield chunk;
      }
      if (start > range.end) return;
    } catch (error) {
      if (isFinal(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}
