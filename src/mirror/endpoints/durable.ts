import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Bytes } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';

const suffix = '.download';
/** A file that nobody wrote to for so long was left behind by a process that is gone. */
const staleMs = 60 * 60 * 1000;

/** Writes the file whole, in the place of what is there: until it is on the disk nobody sees it. Errors of `bytes` pass as they are. */
export async function writeWhole(path: string, bytes: Bytes): Promise<void> {
  await replaced(path, async (temporary) => {
    const file = await onDisk(open(temporary, 'wx', 0o600));
    try {
      for await (const chunk of bytes) await onDisk(file.writeFile(chunk));
      await onDisk(file.sync());
    } finally {
      await file.close();
    }
  });
}

/** Makes the file at `path` the one at `existing`; false where the file system has no hard links, or no room for one more. */
export async function linkWhole(path: string, existing: string): Promise<boolean> {
  try {
    await replaced(path, (temporary) => onDisk(link(existing, temporary)));
    return true;
  } catch (error) {
    if (hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EXDEV', 'ENOENT')) return false;
    throw error;
  }
}

/** Makes `path` a symbolic link with that text, in the place of what is there. */
export async function symlinkWhole(path: string, target: string): Promise<void> {
  await replaced(path, (temporary) => onDisk(symlink(target, temporary)));
}

/** Deletes what was half-written in a directory an hour ago or more. A directory that is not there is clean. */
export async function sweepDownloads(directory: string): Promise<void> {
  const names = (await ifThere(readdir(directory))) ?? [];
  for (const path of names.filter((file) => file.endsWith(suffix)).map((file) => join(directory, file))) {
    const found = await ifThere(stat(path));
    if (found !== undefined && Date.now() - found.mtimeMs > staleMs) await onDisk(rm(path, { force: true }));
  }
}

/** The outcome of a file operation; undefined for what is not there. */
export async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await onDisk(operation);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return undefined;
    throw error;
  }
}

/** The outcome of a file operation, its failure as `UNAVAILABLE` with the reason as cause. */
export async function onDisk<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    const isFull = hasCode(error, 'ENOSPC', 'EDQUOT');
    const message = `the directory ${isFull ? 'has no room' : `cannot be used (${codeOf(error) ?? 'unknown'})`}`;
    throw new RegistryError('UNAVAILABLE', message, { cause: error });
  }
}

/** Each writer has a name of its own, so that two of them never write one file. */
async function replaced(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const directory = dirname(path);
  const temporary = `${path}.${randomBytes(6).toString('hex')}${suffix}`;
  await makeDirectory(directory);
  try {
    await make(temporary);
    await onDisk(rename(temporary, path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncDirectory(directory);
}

/**
 * A new directory is only durable once its parent is. Each is made by a call of its own: where a
 * file system says of a parent that is there that it is not, such as `/proc`, Node's recursive call
 * never ends.
 */
async function makeDirectory(directory: string): Promise<void> {
  if (await isDirectory(directory)) return;
  const parent = dirname(directory);
  if (parent !== directory) await makeDirectory(parent);
  await onDisk(mkdir(directory, { mode: 0o755 })).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
  });
  await syncDirectory(parent);
}

async function isDirectory(path: string): Promise<boolean> {
  return (await ifThere(stat(path)))?.isDirectory() === true;
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await onDisk(open(directory, 'r'));
  try {
    await handle.sync();
  } catch (error) {
    if (!hasCode(error, 'EINVAL', 'ENOTSUP', 'EPERM')) await onDisk(Promise.reject(error));
  } finally {
    await handle.close();
  }
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error instanceof RegistryError ? error.cause : error);
  return code !== undefined && codes.includes(code);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
