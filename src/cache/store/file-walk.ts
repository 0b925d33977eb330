import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { ifPresent } from './durable-file.ts';

/**
 * The files below `<path>/<prefix>`, named by what follows `path`; `prefix` ends with `/`. A directory that is not there
 * is empty.
 */
export async function* filesBelow(
  path: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  const directories = [prefix];
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    signal?.throwIfAborted();
    for await (const entry of await entriesOf(join(path, next))) {
      if (entry.isDirectory()) directories.push(`${next}${entry.name}/`);
      else if (entry.isFile()) yield `${next}${entry.name}`;
    }
  }
}

async function entriesOf(directory: string) {
  const opened = await ifPresent(opendir(directory));
  return opened ?? [];
}
