import { type FileHandle, mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createSingleFlight } from '../flow/single-flight.ts';

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
  /** Opens a new file for writing; makes its directory. Default mode 0o644. */
  create(path: string, mode?: number): Promise<FileHandle>;
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

  const ifAbsent = unlessCode(...absentCodes);
  const making = createSingleFlight<void>();

  /**
   * A new directory is durable once its parent is. One call for each: where a file system denies an
   * existing parent, as `/proc` does, Node's recursive call never ends. Writers that need the same
   * one at the same time wait for one of them.
   */
  const makeDirectory = (directory: string): Promise<void> =>
    making(directory, async () => {
      if ((await stat(directory).catch(ifAbsent))?.isDirectory() === true) return;
      const parent = dirname(directory);
      if (parent !== directory) await makeDirectory(parent);
      await mkdir(directory, { mode: directoryMode }).catch(ifMade);
      await synced(parent);
    });

  /** Most files get a directory that is there, which a look beforehand would only confirm. */
  const inDirectory = <T>(directory: string, work: () => Promise<T>): Promise<T> =>
    work().catch(async (error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      await makeDirectory(directory);
      return await work();
    });

  async function published(file: string, path: string): Promise<void> {
    const directory = dirname(path);
    await inDirectory(directory, () => rename(file, path));
    await synced(directory);
  }

  const create = (path: string, mode = 0o644): Promise<FileHandle> =>
    write(inDirectory(dirname(path), () => open(path, 'wx', mode)));

  return {
    read,
    write,
    ifPresent: (operation) => read(operation.catch(ifAbsent)),
    makeDirectory: (directory) => write(makeDirectory(directory)),
    create,
    async writeNew(path, bytes, mode) {
      const file = await create(path, mode);
      try {
        for await (const chunk of bytes) await write(file.writeFile(chunk));
        await write(file.sync());
      } finally {
        await file.close();
      }
    },
    publish: (file, path) => write(published(file, path)),
  };
}

/** Waits until the names in a directory are on the disk, where the file system can say so. */
async function synced(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync().catch(ifUnsupported);
  } finally {
    await handle.close();
  }
}

/** True when the failure, or the one below it, has one of these system codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error);
  if (code !== undefined && codes.includes(code)) return true;
  return error instanceof Error && error.cause !== undefined && hasCode(error.cause, ...codes);
}

/** Takes a failure with one of these system codes for the outcome undefined. */
function unlessCode(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!hasCode(error, ...codes)) throw error;
  };
}

/** The system's code for a failure, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

const ifMade = unlessCode('EEXIST');
const ifUnsupported = unlessCode('EINVAL', 'ENOTSUP', 'EPERM');
