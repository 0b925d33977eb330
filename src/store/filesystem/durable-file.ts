import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Bytes } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';

/** Writes a new file whole, its directory too, and waits until the disk has it. Errors of `bytes` pass as they are. */
export async function writeDurably(path: string, bytes: Bytes, mode = 0o644): Promise<void> {
  await onDisk('write', mkdir(dirname(path), { recursive: true }));
  const file = await onDisk('write', open(path, 'wx', mode));
  try {
    for await (const chunk of bytes) await onDisk('write', file.writeFile(chunk));
    await onDisk('write', file.sync());
  } finally {
    await file.close();
  }
}

/** Gives a finished file its final name, at once and for good; what had that name before is replaced. */
export async function publish(file: string, path: string): Promise<void> {
  const directory = dirname(path);
  await makeDurableDirectory(directory);
  await onDisk('write', rename(file, path));
  await syncDirectory(directory);
}

/** Makes a directory and those above it; a new directory is only durable once its parent is synced. */
export async function makeDurableDirectory(directory: string): Promise<void> {
  const first = await onDisk('write', mkdir(directory, { recursive: true }));
  if (first === undefined) return;
  for (let made = directory; made.length >= first.length; made = dirname(made)) {
    await syncDirectory(dirname(made));
  }
}

/** Waits until the names in a directory are on the disk, where the file system can say so. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await onDisk('write', open(directory, 'r'));
  try {
    await handle.sync().catch((error: unknown) => {
      if (!hasCode(error, 'EINVAL', 'ENOTSUP', 'EPERM')) throw mediumError('write', error);
    });
  } finally {
    await handle.close();
  }
}

/** The outcome of a file operation, its failure as `UNAVAILABLE` with the reason as cause. */
export async function onDisk<T>(doing: 'read' | 'write', operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw mediumError(doing, error);
  }
}

/** Like onDisk for a read, but undefined for what is not there. */
export async function ifPresent<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw mediumError('read', error);
  }
}

/** True when the failure says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENOTDIR');
}

/** True when the failure, or the one below it, has one of these system codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && codes.includes(error.code)) return true;
  return error.cause !== undefined && hasCode(error.cause, ...codes);
}

function mediumError(doing: 'read' | 'write', error: unknown): RegistryError {
  const message = hasCode(error, 'ENOSPC', 'EDQUOT')
    ? 'the store has no room'
    : `the store cannot ${doing === 'read' ? 'be read' : 'be written'}`;
  return new RegistryError('UNAVAILABLE', message, { cause: error });
}
