import { readdir } from 'node:fs/promises';

/** Whether a directory holds a file whose name fits; one that is not there holds none. */
export async function exists(directory: string, shape: RegExp): Promise<boolean> {
  const names = await readdir(directory).catch(() => []);
  return names.some((name) => shape.test(name));
}
