import { closeSync, open as openCallback } from 'node:fs';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { abortable } from '../../base/flow/abortable.ts';
import { hasCode } from '../../base/state/durable-file.ts';
import {
  type Bytes,
  type Content,
  type Descriptor,
  type ListOptions,
  type ReadOptions,
  type StoredBlob,
  verified,
} from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { lengthOf } from '../../oci/range.ts';
import type { BufferPool } from '../buffers.ts';
import { blobKey, blobsPrefix, parseBlobKey } from '../keys.ts';
import type { CachedBlobs } from '../store.ts';
import type { StoredFile } from '../stored-file.ts';
import { disk } from './disk.ts';
import { fileBytes } from './file-bytes.ts';
import { FileSending } from './file-sending.ts';
import { sortedFilesBelow } from './file-walk.ts';
import type { KernelSend } from './kernel-send.ts';
import { KernelSending } from './kernel-sending.ts';
import type { TempFiles } from './temp-files.ts';

/** Without a `FileHandle`, whose every use is a promise. */
const openDescriptor = promisify(openCallback);

interface FilesystemBlobsOptions {
  readonly path: string;
  readonly temps: TempFiles;
  /** Large buffers for fast readers. */
  readonly pool: BufferPool;
  /** How the kernel sends files; asked for by the first file. Default: it does not. */
  readonly kernel?: () => Promise<KernelSend | undefined>;
}

/**
 * One file per blob, renamed to its final name once its bytes are verified and synced: what has
 * that name is complete. A replaced or deleted file stays readable while open.
 */
export function filesystemBlobs(
  options: FilesystemBlobsOptions,
): CachedBlobs & Required<Pick<CachedBlobs, 'adopt' | 'openFile'>> {
  const { path, temps, pool, kernel } = options;
  let loading: Promise<KernelSend | undefined> | undefined;
  const pathOf = (digest: Digest) => join(path, blobKey(digest));
  return {
    async stat(digest) {
      const found = await disk.ifPresent(stat(pathOf(digest)));
      return found && { digest, size: found.size };
    },
    async open(digest, reading = {}) {
      reading.signal?.throwIfAborted();
      const file = await disk.ifPresent(open(pathOf(digest), 'r'));
      return file && openedContent(file, digest, pool, reading);
    },
    async openFile(digest) {
      const fd = await disk.ifPresent(openDescriptor(pathOf(digest), 'r'));
      if (fd === undefined) return undefined;
      loading ??= kernel?.();
      return storedFile(fd, pool, await loading);
    },
    put: (descriptor, bytes, { signal } = {}) =>
      temps.publish(pathOf(descriptor.digest), verified(abortable(bytes, signal), descriptor)),
    adopt: (descriptor, file) => adopt(descriptor, file, pathOf(descriptor.digest)),
    async delete(digest) {
      await disk.write(rm(pathOf(digest), { force: true }));
    },
    list: (listing) => listed(path, listing),
  };
}

/** The size of the open file: comparing it with the expected one reveals a truncated file. */
async function openedContent(
  file: FileHandle,
  digest: Digest,
  pool: BufferPool,
  { range, signal }: ReadOptions,
): Promise<Content> {
  try {
    const { size } = await disk.read(file.stat());
    const reading = { pool, ...(signal === undefined ? {} : { signal }) };
    return {
      descriptor: { digest, size },
      ...(range === undefined ? {} : { range }),
      body: closing(file, fileBytes(file, range ?? { start: 0, end: size - 1 }, reading)),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function storedFile(fd: number, pool: BufferPool, kernel: KernelSend | undefined): StoredFile {
  return {
    async sendTo(sink, range, signal) {
      const isForKernel =
        kernel !== undefined && sink.socket !== undefined && lengthOf(range) > pool.bufferBytes;
      const start = isForKernel
        ? await new KernelSending({ kernel, fd, range, sink, signal }).run()
        : range.start;
      const rest = { start, end: range.end };
      if (lengthOf(rest) > 0) await new FileSending({ fd, range: rest, sink, pool, signal }).run();
    },
    close: () => closeSync(fd),
  };
}

async function* closing(file: FileHandle, bytes: Bytes) {
  try {
    yield* bytes;
  } finally {
    await file.close();
  }
}

async function adopt(descriptor: Descriptor, file: string, path: string): Promise<boolean> {
  const handle = await disk.read(open(file, 'r'));
  try {
    if ((await handle.stat()).size !== descriptor.size) return false;
    await disk.write(handle.sync());
  } finally {
    await handle.close();
  }
  try {
    await disk.publish(file, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EXDEV')) return false;
    throw error;
  }
}

async function* listed(path: string, { after, signal }: ListOptions = {}): AsyncGenerator<StoredBlob> {
  const from = after === undefined ? '' : blobKey(after);
  for await (const key of sortedFilesBelow(path, blobsPrefix, from, signal)) {
    const digest = parseBlobKey(key);
    const found = digest && (await disk.ifPresent(stat(join(path, key))));
    if (digest && found) yield { digest, size: found.size, storedAt: found.mtimeMs };
  }
}
