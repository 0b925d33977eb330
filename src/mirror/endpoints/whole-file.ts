import { randomBytes } from 'node:crypto';
import { link, readdir, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, createDisk, hasCode } from '../../base/files/durable-file.ts';
import type { Bytes } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';

const suffix = '.download';
/** A file that has not been written to within this time was left behind by a process that is gone. */
const staleMs = 60 * 60 * 1000;

/**
 * The files of a directory of images. Throws `UNAVAILABLE`, with the system's reason as cause. A
 * file that is no link (`EINVAL`) is no tag.
 */
export const disk = createDisk({
  failure(_doing, cause) {
    const isFull = hasCode(cause, 'ENOSPC', 'EDQUOT');
    const message = `the directory ${isFull ? 'has no room' : `cannot be used (${codeOf(cause) ?? 'unknown'})`}`;
    return new RegistryError('UNAVAILABLE', message, { cause });
  },
  absentCodes: ['ENOENT', 'ENOTDIR', 'EINVAL'],
  directoryMode: 0o755,
});

/** Writes the file whole, in the place of what is there: until it is on the disk nobody sees it. Errors of `bytes` pass as they are. */
export async function writeWhole(path: string, bytes: Bytes): Promise<void> {
  await replaced(path, (temporary) => disk.writeNew(temporary, bytes, 0o600));
}

/** Makes the file at `path` the one at `existing`; false where the file system has no hard links, or no room for one more. */
export async function linkWhole(path: string, existing: string): Promise<boolean> {
  try {
    await replaced(path, (temporary) => disk.write(link(existing, temporary)));
    return true;
  } catch (error) {
    if (hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'EXDEV', 'ENOENT')) return false;
    throw error;
  }
}

/** Makes `path` a symbolic link with that text, in the place of what is there. */
export async function symlinkWhole(path: string, target: string): Promise<void> {
  await replaced(path, (temporary) => disk.write(symlink(target, temporary)));
}

/** Deletes what was half-written in a directory an hour ago or more. A directory that is not there is clean. */
export async function sweepDownloads(directory: string): Promise<void> {
  const names = (await disk.ifPresent(readdir(directory))) ?? [];
  for (const path of names.filter((file) => file.endsWith(suffix)).map((file) => join(directory, file))) {
    const found = await disk.ifPresent(stat(path));
    if (found !== undefined && Date.now() - found.mtimeMs > staleMs)
      await disk.write(rm(path, { force: true }));
  }
}

/** Each writer has a name of its own, so that two of them never write one file. */
async function replaced(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}${suffix}`;
  await disk.makeDirectory(dirname(path));
  try {
    await make(temporary);
    await disk.publish(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}
