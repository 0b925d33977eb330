import type { Bytes } from '../oci/content.ts';

/** The same bytes, until the signal: then its reason is thrown before the next chunk is handed on. */
export async function* abortable(
  bytes: Bytes,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    signal?.throwIfAborted();
    yield chunk;
  }
}
