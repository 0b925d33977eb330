import { open as openCallback } from 'node:fs';
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
import type { BufferPool } from '../buffers.ts';
import { blobKey, blobsPrefix, parseBlobKey } from '../keys.ts';
import { fileBytes } from '../sending/file-bytes.ts';
import type { KernelSend } from '../sending/kernel-send.ts';
import { createStoredFile } from '../sending/open-file.ts';
import type { CachedBlobs } from '../store.ts';
import { type FileListing, openedAtOnce, statAtOnce } from './blocking-reads.ts';
import { disk } from './disk.ts';
import { sortedFilesBelow } from './file-walk.ts';
import type { TempFiles } from './temp-files.ts';

/** Without a `FileHandle`, whose every use is a promise. */
const openDescriptor = promisify(openCallback);

interface FilesystemBlobsOptions {
  readonly path: string;
  readonly temps: TempFiles;
  /** Large buffers for fast readers. */
  readonly pool: BufferPool;
  /** How the kernel sends files. Default: it does not. */
  readonly kernel?: Promise<KernelSend | undefined> | undefined;
  /** See `FilesystemStoreOptions`. */
  readonly mayBlock?: boolean | undefined;
}

/**
 * One file per blob, renamed to its final name once its bytes are verified and synced: what has
 * that name is complete. A replaced or deleted file stays readable while open.
 */
export function filesystemBlobs(
  options: FilesystemBlobsOptions,
): CachedBlobs & Required<Pick<CachedBlobs, 'adopt' | 'openFile'>> {
  const { path, temps, pool, kernel, mayBlock = false } = options;
  const pathOf = (digest: Digest) => join(path, blobKey(digest));
  return {
    async stat(digest) {
      const found = await disk.ifPresent(stat(pathOf(digest)));
      return found && { digest, size: found.size };
    },
    async open(digest, reading = {}) {
      if (mayBlock) return openedAtOnce(path, digest, reading);
      reading.signal?.throwIfAborted();
      const file = await disk.ifPresent(open(pathOf(digest), 'r'));
      return file && openedContent(file, digest, pool, reading);
    },
    async openFile(digest) {
      const fd = await disk.ifPresent(openDescriptor(pathOf(digest), 'r'));
      if (fd === undefined) return undefined;
      return createStoredFile(fd, { pool, kernel: await kernel });
    },
    put: (descriptor, bytes, { signal } = {}) =>
      temps.publish(pathOf(descriptor.digest), verified(abortable(bytes, signal), descriptor)),
    adopt: (descriptor, file) => adopt(descriptor, file, pathOf(descriptor.digest)),
    async delete(digest) {
      await disk.write(rm(pathOf(digest), { force: true }));
    },
    list: (listing) => listed(path, mayBlock ? statAtOnce : stat, listing),
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

async function* listed(
  path: string,
  look: (path: string) => Promise<FileListing>,
  { after, signal }: ListOptions = {},
): AsyncGenerator<StoredBlob> {
  const from = after === undefined ? '' : blobKey(after);
  for await (const key of sortedFilesBelow(path, blobsPrefix, from, signal)) {
    const digest = parseBlobKey(key);
    const found = digest && (await disk.ifPresent(look(join(path, key))));
    if (digest && found) yield { digest, size: found.size, storedAt: found.mtimeMs };
  }
}
