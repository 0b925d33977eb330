import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesOf } from '../../oci/content.ts';
import { digestOf } from '../../oci/digest.ts';
import { checkedKey, isSecretKey } from '../keys.ts';
import type { RecordEntry, Records } from '../records.ts';
import { type FileListing, statAtOnce } from './blocking-reads.ts';
import { disk } from './disk.ts';
import { createFileLocks } from './file-locks.ts';
import { filesBelow } from './file-walk.ts';
import type { TempFiles } from './temp-files.ts';

interface FilesystemRecordsOptions {
  readonly path: string;
  readonly temps: TempFiles;
  /** See `FilesystemStoreOptions`. */
  readonly mayBlock?: boolean | undefined;
}

/**
 * One file per record, its version the digest of its content. Writers of one process take turns; a
 * conditional write also locks out other processes: compare and rename are one step.
 */
export function createFilesystemRecords({
  path,
  temps,
  mayBlock = false,
}: FilesystemRecordsOptions): Records {
  const pathOf = (key: string) => join(path, checkedKey(key));
  const locks = createFileLocks(join(path, 'locks'));

  return {
    get: (key) => read(pathOf(key)),
    put(key, bytes, { ifVersion } = {}) {
      const path = pathOf(key);
      const write = async (): Promise<string> => {
        await temps.publish(path, bytesOf(bytes), isSecretKey(key) ? 0o600 : 0o644);
        return digestOf(bytes);
      };
      if (ifVersion === undefined) return locks.inTurn(key, write);
      return locks.alone(key, async () => {
        const held = (await read(path))?.version ?? 'absent';
        return held === ifVersion ? await write() : undefined;
      });
    },
    delete: (key) => locks.inTurn(key, () => disk.write(rm(pathOf(key), { force: true }))),
    list: (prefix, options) => listed(path, prefix, mayBlock ? statAtOnce : stat, options?.signal),
  };
}

async function read(path: string) {
  const bytes = await disk.ifPresent(readFile(path));
  return bytes && { bytes, version: digestOf(bytes) };
}

async function* listed(
  path: string,
  prefix: string,
  look: (path: string) => Promise<FileListing>,
  signal: AbortSignal | undefined,
): AsyncGenerator<RecordEntry> {
  const directory = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  for await (const key of filesBelow(path, directory, signal)) {
    if (!key.startsWith(prefix)) continue;
    const found = await disk.ifPresent(look(join(path, key)));
    if (found) yield { key, size: found.size, writtenAt: found.mtimeMs };
  }
}
