import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const blobPath = /(?:^|\/)blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})$/;

/**
 * Reads stored blobs as no part of the product does: file by file, each hashed. Gives the paths of
 * those that are not what they are called, of all that were written since the last call.
 */
export function createStoredCheck(folders: readonly string[]): () => Promise<readonly string[]> {
  const known = new Map<string, number>();
  return async () => {
    const wrong: string[] = [];
    for (const folder of folders)
      for (const file of await readdir(folder, { recursive: true }).catch(() => [])) {
        const hex = blobPath.exec(file)?.[1];
        const path = join(folder, file);
        const writtenMs =
          hex === undefined
            ? undefined
            : await stat(path).then(
                (found) => found.mtimeMs,
                () => undefined,
              );
        if (writtenMs === undefined || known.get(path) === writtenMs) continue;
        const found = await hexOfFile(path).catch(() => hex);
        known.set(path, writtenMs);
        if (found !== hex) wrong.push(path);
      }
    return wrong;
  };
}

async function hexOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
