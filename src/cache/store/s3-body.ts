import type { Readable } from 'node:stream';
import { RegistryError } from '../../oci/errors.ts';
import { endsTooEarly } from './s3-errors.ts';

export interface ObjectBytesOptions {
  /** How many bytes must come. */
  readonly length: number;
  /** Longest wait for the next bytes, in milliseconds; the time that the reader takes does not count. */
  readonly stallMs: number;
  readonly signal?: AbortSignal;
}

/**
 * The body of an object. Throws `UPSTREAM_INVALID` when it ends before `length`, `UNAVAILABLE` when the connection
 * breaks or nothing comes for `stallMs`. However it ends, the body is destroyed, and with it the hold on its socket.
 */
export async function* objectBytes(
  body: Readable,
  { length, stallMs, signal }: ObjectBytesOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let isWaiting = true;
  const stalled = setTimeout(() => {
    if (isWaiting) body.destroy(new Error('no bytes came from S3'));
  }, stallMs);
  let seen = 0;
  try {
    for await (const chunk of chunksOf(body)) {
      isWaiting = false;
      signal?.throwIfAborted();
      seen += chunk.byteLength;
      yield chunk;
      isWaiting = true;
      stalled.refresh();
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof RegistryError) throw cause;
    throw new RegistryError('UNAVAILABLE', 'the store broke off in the middle', { cause });
  } finally {
    clearTimeout(stalled);
    body.destroy();
  }
  if (seen !== length) throw endsTooEarly({ detail: { at: seen, expected: length } });
}

async function* chunksOf(body: Readable): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    if (chunk instanceof Uint8Array) yield chunk;
  }
}
