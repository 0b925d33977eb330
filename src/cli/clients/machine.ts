import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Fields } from '../../base/text/json.ts';
import { parseToml } from './toml.ts';

/** A file of a client that cannot be read or means nothing: what it does cannot be told. */
export class ConfigurationTrouble extends Error {
  override readonly name = 'ConfigurationTrouble';
}

/** The files of the machine that is looked at, by their usual paths. */
export interface Machine {
  /** The file; undefined where there is none. Throws `ConfigurationTrouble`. */
  read(path: string): Promise<string | undefined>;
  /** A TOML file. Throws `ConfigurationTrouble`. */
  toml(path: string): Promise<Fields | undefined>;
  /** The names in a folder, in the order of their bytes; none where there is no folder. */
  list(path: string): Promise<readonly string[]>;
  /** Where a path is on this machine, for people. */
  pathOf(path: string): string;
}

/** A file that a flag names, which is not below the root. */
export function namedPath(path: string): string {
  return relative('', path);
}

/** The machine below `root`; a path that is not absolute is one of the working directory. */
export function createMachine(root: string): Machine {
  const pathOf = (path: string): string => (path.startsWith('/') ? join(root, path) : resolve(path));

  async function orNone<Value>(path: string, read: () => Promise<Value>): Promise<Value | undefined> {
    try {
      return await read();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new ConfigurationTrouble(`${pathOf(path)} cannot be read (${String(code)})`, { cause: error });
    }
  }

  async function read(path: string): Promise<string | undefined> {
    return orNone(path, () => readFile(pathOf(path), 'utf8'));
  }

  return {
    read,
    pathOf,
    async toml(path) {
      const text = await read(path);
      if (text === undefined) return undefined;
      try {
        return parseToml(text);
      } catch (error) {
        const why = error instanceof Error ? error.message : 'no TOML';
        throw new ConfigurationTrouble(`${pathOf(path)} is not TOML: ${why}`, { cause: error });
      }
    },
    async list(path) {
      const names = await orNone(path, () => readdir(pathOf(path)));
      return (names ?? []).toSorted((one, other) => (one < other ? -1 : 1));
    },
  };
}
