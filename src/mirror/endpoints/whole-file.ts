import { randomBytes } from 'node:crypto';
import { link, readdir, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, createDisk, hasCode } from '../../base/state/durable-file.ts';
import { isDiskFull } from '../../base/state/medium-fault.ts';
import type { Bytes } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';

const suffix = '.download';
/** A file without writes for this long was left behind by a dead process. */
const staleMs = 60 * 60 * 1000;

/** Files of a directory of images. Throws `UNAVAILABLE`. A file that is no link is no tag. */
export const disk = createDisk({
  failure(_doing, cause) {
    const message = `the directory ${isDiskFull(cause) ? 'has no room' : `cannot be used (${codeOf(cause) ?? 'unknown'})`}`;
    return new RegistryError('UNAVAILABLE', message, { cause });
  },
  absentCodes: ['ENOENT', 'ENOTDIR', 'EINVAL'],
  directoryMode: 0o755,
});

/** Replaces the file atomically: it is visible once it is durable. Passes errors of `bytes` on. */
export async function writeWhole(path: string, bytes: Bytes): Promise<void> {
  await replaced(path, (temporary) => disk.writeNew(temporary, bytes, 0o600));
}

/** Links `path` to `existing`; false where the file system has no hard links, or no room. */
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

/** Deletes half-written files of an hour ago or more. A missing directory is clean. */
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
