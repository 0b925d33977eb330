import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { ChunkPool, chunkBytes } from './chunk-pool.ts';
import type { DigestCheck, DigestChecks } from './digest-check.ts';
import type { FromThread, ToThread } from './thread.ts';

/** Buffers for each thread: 16 MiB. */
const buffersOfThread = 64;

interface CheckThread {
  readonly worker: Worker;
  readonly pool: ChunkPool;
  readonly ends: Map<number, PromiseWithResolvers<string>>;
  failure?: Error;
}

/**
 * Checks on so many threads, each content on one of them. Where a thread fails, so do the checks
 * that it had.
 */
export function createDigestThreads(count: number): DigestChecks {
  const threads = Array.from({ length: count }, startedThread);
  let ids = 0;
  let waitedMs = 0;

  async function waited(thread: CheckThread): Promise<ArrayBuffer> {
    const since = performance.now();
    const buffer = await thread.pool.next();
    waitedMs += performance.now() - since;
    return buffer;
  }

  return {
    isOn: true,
    get waitedMs() {
      return waitedMs;
    },
    begin(digest) {
      const id = ids;
      ids += 1;
      const thread = threads[id % threads.length];
      if (thread === undefined) throw new Error('there is no thread that checks digests');
      return checkOn(thread, id, digest, waited);
    },
    close: async () => void (await Promise.all(threads.map(({ worker }) => worker.terminate()))),
  };
}

function startedThread(): CheckThread {
  const worker = new Worker(new URL(`./thread${extname(import.meta.url)}`, import.meta.url));
  const thread: CheckThread = { worker, pool: new ChunkPool(buffersOfThread), ends: new Map() };
  worker.on('message', (message: FromThread) => {
    if ('buffer' in message) return thread.pool.giveBack(message.buffer);
    thread.ends.get(message.id)?.resolve(message.hex);
    thread.ends.delete(message.id);
  });
  worker.on('error', (error: Error) => {
    thread.failure = error;
    for (const end of thread.ends.values()) end.reject(error);
    thread.ends.clear();
  });
  return thread;
}

/** Small chunks are gathered: a message costs as much as the hash of 10 kB. */
function checkOn(
  thread: CheckThread,
  id: number,
  digest: Digest,
  waited: (thread: CheckThread) => Promise<ArrayBuffer>,
): DigestCheck {
  const algorithm = algorithmOf(digest);
  let buffer: ArrayBuffer | undefined;
  let length = 0;

  const sent = (message: ToThread, moved: ArrayBuffer[] = []): void =>
    thread.worker.postMessage(message, moved);
  const flush = (): void => {
    if (buffer !== undefined && length > 0) sent({ id, algorithm, buffer, length }, [buffer]);
    else if (buffer !== undefined) thread.pool.giveBack(buffer);
    buffer = undefined;
    length = 0;
  };
  /** Copies what fits; the number of bytes that it took. */
  const taken = (into: ArrayBuffer, chunk: Uint8Array): number => {
    const count = Math.min(chunk.byteLength, chunkBytes - length);
    new Uint8Array(into, length).set(chunk.subarray(0, count));
    length += count;
    if (length === chunkBytes) flush();
    return count;
  };
  async function waiting(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.byteLength > 0; ) {
      buffer ??= thread.pool.take() ?? (await waited(thread));
      rest = rest.subarray(taken(buffer, rest));
    }
  }
  return {
    write(chunk) {
      for (let rest = chunk; rest.byteLength > 0; ) {
        buffer ??= thread.pool.take();
        if (buffer === undefined) return waiting(rest);
        rest = rest.subarray(taken(buffer, rest));
      }
      return undefined;
    },
    async end() {
      if (thread.failure !== undefined) throw thread.failure;
      flush();
      const end = Promise.withResolvers<string>();
      thread.ends.set(id, end);
      sent({ id, algorithm, end: 'whole' });
      return (await end.promise) === hexOf(digest);
    },
    drop() {
      flush();
      sent({ id, algorithm, end: 'dropped' });
    },
  };
}
