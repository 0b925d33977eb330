import { readFile, stat } from 'node:fs/promises';

/** A file that is read when it is wanted, and again only after it has changed. */
export type FreshFile<T> = () => Promise<T>;

/** `parse` gets the text each time that the file is another one by modification time, size or inode. */
export function freshFile<T>(path: string, parse: (text: string) => T): FreshFile<T> {
  let held: { readonly version: string; readonly value: T } | undefined;
  return async () => {
    const { mtimeMs, size, ino } = await stat(path);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (held?.version !== version) held = { version, value: parse(await readFile(path, 'utf8')) };
    return held.value;
  };
}
