import { opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { disk } from './disk.ts';

/** The files below `<path>/<prefix>`, relative to `path`. A missing directory is empty. */
export async function* filesBelow(
  path: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  const directories = [prefix];
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    signal?.throwIfAborted();
    const entries = await disk.ifPresent(opendir(join(path, next)));
    for await (const entry of entries ?? []) {
      if (entry.isDirectory()) directories.push(`${next}${entry.name}/`);
      else if (entry.isFile()) yield `${next}${entry.name}`;
    }
  }
}

/** The same, sorted, after `after`. Holds the names of one directory per level in memory. */
export async function* sortedFilesBelow(
  path: string,
  prefix: string,
  after: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  signal?.throwIfAborted();
  const entries = (await disk.ifPresent(readdir(join(path, prefix), { withFileTypes: true }))) ?? [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = `${prefix}${entry.name}`;
    if (entry.isFile() && name > after) yield name;
    const below = `${name}/`;
    if (entry.isDirectory() && (below > after || after.startsWith(below)))
      yield* sortedFilesBelow(path, below, after, signal);
  }
}
