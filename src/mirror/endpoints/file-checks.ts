import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Descriptor } from '../../oci/content.ts';
import { type Digest, digester, isMatch } from '../../oci/digest.ts';
import { disk } from './whole-file.ts';

/** Which files hold what their names say. */
export interface FileChecks {
  /** The descriptor of a complete file; undefined for one that is truncated, altered, or absent. */
  check(path: string, digest: Digest, signal?: AbortSignal): Promise<Descriptor | undefined>;
  /** Takes the file for whole: its bytes were checked while they were written. */
  trust(path: string, digest: Digest): Promise<void>;
}

const readBytes = 1024 * 1024;

/**
 * Reads each file once, whatever its names: a device that was removed too early holds empty files
 * of the right length. A changed file is read again.
 */
export function createFileChecks(): FileChecks {
  const checked = new Map<string, Promise<boolean>>();
  return {
    async check(path, digest, signal) {
      const identity = await identityOf(path);
      if (identity === undefined) return undefined;
      const key = `${identity.key} ${digest}`;
      const open = checked.get(key) ?? isWhole(path, digest, signal);
      checked.set(key, open);
      try {
        return (await open) ? { digest, size: identity.size } : undefined;
      } catch (error) {
        checked.delete(key);
        throw error;
      }
    },
    async trust(path, digest) {
      const identity = await identityOf(path);
      if (identity !== undefined) checked.set(`${identity.key} ${digest}`, Promise.resolve(true));
    },
  };
}

/** One file under all its names, as it is now. */
async function identityOf(
  path: string,
): Promise<{ readonly key: string; readonly size: number } | undefined> {
  const found = await disk.ifPresent(stat(path));
  if (found === undefined || !found.isFile()) return undefined;
  return { key: `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs}`, size: found.size };
}

async function isWhole(path: string, digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
  const hash = digester(digest);
  const stream = createReadStream(path, {
    highWaterMark: readBytes,
    ...(signal === undefined ? {} : { signal }),
  });
  await disk.read(pipeline(stream, hash));
  return isMatch(hash, digest);
}
