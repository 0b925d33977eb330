import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ByteRange, Bytes, Content, ReadOptions } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { whole } from '../../oci/range.ts';
import { blobKey } from '../keys.ts';
import { smallBytes, truncated } from '../sending/file-bytes.ts';
import { disk } from './disk.ts';

/** What a listing tells of a file. */
export interface FileListing {
  /** Bytes. */
  readonly size: number;
  /** When it was written, milliseconds since the epoch. */
  readonly mtimeMs: number;
}

/** Size and time of a file. Rejects as `stat` does. */
export async function statAtOnce(path: string): Promise<FileListing> {
  return statSync(path);
}

/**
 * A blob, by calls that block the thread. Of a million small files that is a fifth of the processor
 * time: no call waits for a thread of the pool and for the turn after it.
 */
export async function openedAtOnce(
  path: string,
  digest: Digest,
  { range, signal }: ReadOptions = {},
): Promise<Content | undefined> {
  signal?.throwIfAborted();
  const fd = await disk.ifPresent(opened(join(path, blobKey(digest))));
  if (fd === undefined) return undefined;
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  const descriptor = { digest, size: fstatSync(fd).size };
  const { start, end } = range ?? whole(descriptor);
  return {
    descriptor,
    ...(range === undefined ? {} : { range }),
    body: bytesOf(fd, { start, end, signal, close }),
    close: async () => close(),
  };
}

async function opened(path: string): Promise<number> {
  return openSync(path, 'r');
}

interface BlockingRead extends ByteRange {
  readonly signal: AbortSignal | undefined;
  readonly close: () => void;
}

async function* bytesOf(fd: number, { start, end, signal, close }: BlockingRead): Bytes {
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(smallBytes, end + 1 - start));
    for (let position = start; position <= end; ) {
      signal?.throwIfAborted();
      const bytesRead = readSync(fd, buffer, 0, Math.min(buffer.byteLength, end + 1 - position), position);
      if (bytesRead === 0) throw truncated(position, end);
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    close();
  }
}
