import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

interface DiskOptions {
  /** What is thrown in the place of a failed file operation. */
  readonly failure: (doing: 'read' | 'write', error: unknown) => Error;
  /** System codes that say of a file that it is not there. Default `ENOENT` and `ENOTDIR`. */
  readonly absentCodes?: readonly string[];
  /** Of the directories that are made, before the umask. Default 0o777. */
  readonly directoryMode?: number;
}

/** Files that stay when the machine stops. Each method throws what `failure` makes of a failure. */
interface Disk {
  read<T>(operation: Promise<T>): Promise<T>;
  write<T>(operation: Promise<T>): Promise<T>;
  /** The outcome of an operation that reads; undefined for what is not there. */
  ifPresent<T>(operation: Promise<T>): Promise<T | undefined>;
  /** Makes a directory and those above it; they are on the disk when it resolves. */
  makeDirectory(directory: string): Promise<void>;
  /** Writes a new file durably, with its directory. Passes errors of `bytes` on. */
  writeNew(path: string, bytes: AsyncIterable<Uint8Array>, mode?: number): Promise<void>;
  /** Gives a file its final name, at once and for good; what has that name before is replaced. */
  publish(file: string, path: string): Promise<void>;
}

export function createDisk({
  failure,
  absentCodes = ['ENOENT', 'ENOTDIR'],
  directoryMode = 0o777,
}: DiskOptions): Disk {
  const read = <T>(operation: Promise<T>): Promise<T> =>
    operation.catch((error: unknown) => {
      throw failure('read', error);
    });
  const write = <T>(operation: Promise<T>): Promise<T> =>
    operation.catch((error: unknown) => {
      throw failure('write', error);
    });

  /**
   * A new directory is durable once its parent is. One call for each: where a file system denies an
   * existing parent, as `/proc` does, Node's recursive call never ends.
   */
  async function makeDirectory(directory: string): Promise<void> {
    if (await isDirectory(directory)) return;
    const parent = dirname(directory);
    if (parent !== directory) await makeDirectory(parent);
    await write(unlessCode(mkdir(directory, { mode: directoryMode }), 'EEXIST'));
    await syncDirectory(parent);
  }

  async function isDirectory(path: string): Promise<boolean> {
    return (await write(unlessCode(stat(path), ...absentCodes)))?.isDirectory() === true;
  }

  /** Waits until the names in a directory are on the disk, where the file system can say so. */
  async function syncDirectory(directory: string): Promise<void> {
    const handle = await write(open(directory, 'r'));
    try {
      await write(unlessCode(handle.sync(), 'EINVAL', 'ENOTSUP', 'EPERM'));
    } finally {
      await handle.close();
    }
  }

  return {
    read,
    write,
    ifPresent: (operation) => read(unlessCode(operation, ...absentCodes)),
    makeDirectory,
    async writeNew(path, bytes, mode = 0o644) {
      await makeDirectory(dirname(path));
      const file = await write(open(path, 'wx', mode));
      try {
        for await (const chunk of bytes) await write(file.writeFile(chunk));
        await write(file.sync());
      } finally {
        await file.close();
      }
    },
    async publish(file, path) {
      const directory = dirname(path);
      await makeDirectory(directory);
      await write(rename(file, path));
      await syncDirectory(directory);
    },
  };
}

/** True when the failure, or the one below it, has one of these system codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error);
  if (code !== undefined && codes.includes(code)) return true;
  return error instanceof Error && error.cause !== undefined && hasCode(error.cause, ...codes);
}

/** The outcome of the operation; undefined when it fails with one of these system codes. */
function unlessCode<T>(operation: Promise<T>, ...codes: readonly string[]): Promise<T | undefined> {
  return operation.catch((error: unknown) => {
    if (hasCode(error, ...codes)) return undefined;
    throw error;
  });
}

/** The system's code for a failure, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
