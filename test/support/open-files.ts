import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** How many files below that directory a process of this machine has open. */
export async function openBelow(pid: number, directory: string): Promise<number> {
  const open = `/proc/${pid}/fd`;
  const names = await readdir(open);
  const paths = await Promise.all(names.map((name) => readlink(join(open, name)).catch(() => '')));
  return paths.filter((path) => path.startsWith(directory)).length;
}
