import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';

/** What imports what below a directory, by the folders right below it. */
export interface Rooms {
  /**
   * The rooms of a folder: itself and its own folders, as paths; files that lie loose stand in ''.
   */
  readonly folders: ReadonlyMap<string, readonly string[]>;
  /** Which other folders a folder imports from. */
  readonly imports: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Reads the imports of every `.ts` file below the directory. */
export async function roomsOf(directory: string): Promise<Rooms> {
  const files = (await readdir(directory, { recursive: true }))
    .filter((file) => file.endsWith('.ts'))
    .toSorted();
  const folders = new Map<string, string[]>();
  const imports = new Map<string, Set<string>>();
  for (const file of files) {
    const folder = folderOf(file);
    const rooms = folders.get(folder) ?? [];
    if (!rooms.includes(dirname(file))) rooms.push(dirname(file));
    folders.set(folder, rooms);
    const targets = imports.get(folder) ?? new Set();
    for (const target of importsOf(file, await readFile(join(directory, file), 'utf8')))
      if (folderOf(target) !== folder) targets.add(folderOf(target));
    imports.set(folder, targets);
  }
  return { folders, imports };
}

/** Relative imports, types too, as paths below the directory. */
function importsOf(file: string, text: string): readonly string[] {
  const found = text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+\.ts)'/g);
  return [...found].map(([, target = '']) => normalize(join(dirname(file), target)));
}

function folderOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
}
