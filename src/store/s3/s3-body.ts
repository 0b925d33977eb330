import { watched } from '../../base/time/stall.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { ResponseBody } from '../../upstream/exchange.ts';
import { endsTooEarly } from './bucket/s3-errors.ts';

export interface ObjectBytesOptions {
  /** How many bytes must come. */
  readonly length: number;
  /** Longest wait for the next bytes, in milliseconds; the reader's time does not count. */
  readonly stallMs: number;
  /** The least rate while the reader waits, in bytes a second over 2 s. 0: none. */
  readonly leastBytesPerSecond: number;
  readonly signal?: AbortSignal;
  /** Told how it ended, unless the reader left or the object is too short. */
  readonly ended?: (outcome: 'whole' | 'broken') => void;
}

const measuredMs = 2_000;

/**
 * The body of an object. Throws `UPSTREAM_INVALID` when it ends before `length`, `UNAVAILABLE` when
 * the connection breaks, nothing comes for `stallMs`, or it comes too slowly. However it ends, the
 * body is destroyed, and with it the hold on its socket.
 */
export async function* objectBytes(
  body: ResponseBody,
  options: ObjectBytesOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { length, stallMs, signal, ended } = options;
  const pace = createPace(options.leastBytesPerSecond);
  const stalled = (): void => void body.destroy(new Error(`S3 sent no bytes for ${stallMs} ms`));
  const patience = { firstMs: stallMs, nextMs: stallMs };
  let seen = 0;
  let wasLong = false;
  let waitsSince = performance.now();
  try {
    for await (const chunk of watched<unknown>(body, patience, stalled)) {
      if (!(chunk instanceof Uint8Array)) continue;
      signal?.throwIfAborted();
      seen += chunk.byteLength;
      const waitedMs = performance.now() - waitsSince;
      const isLong = waitedMs >= measuredMs;
      // In one long wait this process may have stood still; in the second one in a row S3 is slow.
      if (seen < length && (wasLong || !isLong)) pace.came(chunk.byteLength, waitedMs);
      wasLong = isLong;
      yield chunk;
      waitsSince = performance.now();
    }
  } catch (cause) {
    signal?.throwIfAborted();
    ended?.('broken');
    if (cause instanceof RegistryError) throw cause;
    throw new RegistryError('UNAVAILABLE', 'the store interrupted the read of a blob', { cause });
  } finally {
    body.destroy();
  }
  if (seen !== length) throw endsTooEarly({ detail: { at: seen, expected: length } });
  ended?.('whole');
}

function createPace(leastBytesPerSecond: number) {
  let bytes = 0;
  let waitedMs = 0;
  return {
    /** Throws when the last 2 s of waiting brought too little. */
    came(more: number, afterMs: number): void {
      bytes += more;
      waitedMs += afterMs;
      if (waitedMs < measuredMs) return;
      const bytesPerSecond = Math.round((bytes * 1000) / waitedMs);
      if (bytesPerSecond < leastBytesPerSecond)
        throw new Error(`S3 sends ${bytesPerSecond} bytes a second, less than ${leastBytesPerSecond}`);
      bytes = 0;
      waitedMs = 0;
    },
  };
}
