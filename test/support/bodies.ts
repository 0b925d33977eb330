import { randomFillSync } from 'node:crypto';
import { mock } from 'node:test';
import type { Bytes, Descriptor } from '../../src/oci/content.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { OpenBlob } from '../../src/oci/registry-reader.ts';

/** Bytes that no two calls share, and their descriptor. */
export function randomContent(size: number): { bytes: Buffer; descriptor: Descriptor } {
  const bytes = randomFillSync(Buffer.alloc(size));
  return { bytes, descriptor: { digest: digestOf(bytes), size } };
}

/** A body that the test feeds by hand. */
interface FedBody {
  readonly blob: OpenBlob;
  push(chunk: Uint8Array): void;
  end(): void;
  fail(error: Error): void;
  /** Whether the reader has let go. */
  readonly closed: boolean;
}

/** A body of `size` bytes, as the upstream states it, of which nothing has come yet. */
export function fedBody(size: number | undefined): FedBody {
  const chunks: Uint8Array[] = [];
  let ended: Error | true | undefined;
  let wake = Promise.withResolvers<void>();
  let closed = false;
  const changed = (): void => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const close = (): void => {
    closed = true;
  };
  async function* body(): Bytes {
    while (true) {
      const chunk = chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (ended === true) return;
      else if (ended !== undefined) throw ended;
      else await wake.promise;
    }
  }
  return {
    blob: { size, body: body(), close },
    push(chunk) {
      chunks.push(chunk);
      changed();
    },
    end() {
      ended = true;
      changed();
    },
    fail(error) {
      ended = error;
      changed();
    },
    get closed() {
      return closed;
    },
  };
}

/** Reads a body to its end, or to its failure. Chunks are borrowed, so they are copied. */
export async function readAll(body: Bytes): Promise<{ bytes: Buffer; error?: unknown }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) chunks.push(Buffer.copyBytesFrom(chunk));
    return { bytes: Buffer.concat(chunks) };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error };
  }
}

/**
 * Reads a body whose reader takes `ms` over its second chunk, by the timers that are set while the
 * first two are read. No time passes.
 */
export async function readSlowly(body: Bytes, ms: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    for await (const chunk of body) {
      chunks.push(Buffer.copyBytesFrom(chunk));
      if (chunks.length === 2) {
        mock.timers.tick(ms);
        mock.timers.reset();
      }
    }
    return Buffer.concat(chunks);
  } finally {
    mock.timers.reset();
  }
}

/**
 * Resolves once the condition holds; gives up, loudly, after 2,500 looks, which are five seconds,
 * and more on a machine that is busy with other things.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what = 'the condition',
): Promise<void> {
  for (let looks = 0; !(await condition()); looks += 1) {
    if (looks === 2_500) throw new Error(`${what} did not come true within ${looks} looks`);
    // Ever more slowly: who waits for seconds need not look hundreds of times in each.
    await new Promise((resolve) => setTimeout(resolve, Math.min(2 + looks / 4, 20)));
  }
}
