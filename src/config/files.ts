import { access, constants, stat } from 'node:fs/promises';
import { Expression } from '../base/text/expression.ts';
import type { Config } from './config.ts';
import type { ConfigRefusal, FaultPath } from './faults.ts';

/** Every named file (`…File`, `…Files`) that this process cannot read now. */
export async function unreadableFiles(config: Config): Promise<ConfigRefusal[]> {
  const refusals = await Promise.all(namedFiles(config, []).map(refusalOf));
  return refusals.filter((refusal) => refusal !== undefined);
}

/** A file, and the setting that names it. */
export interface NamedFile {
  readonly path: FaultPath;
  readonly file: string;
}

function namedFiles(value: unknown, path: FaultPath): NamedFile[] {
  if (typeof value !== 'object' || value === null || value instanceof Expression) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (typeof inner === 'string' && key.endsWith('File')) return [{ path: [...path, key], file: inner }];
    if (key.endsWith('Files') && Array.isArray(inner))
      return inner.map((file, index) => ({ path: [...path, key, index], file: String(file) }));
    return namedFiles(inner, [...path, key]);
  });
}

async function refusalOf({ path, file }: NamedFile): Promise<ConfigRefusal | undefined> {
  try {
    if (!(await stat(file)).isFile()) return { path, message: `${file} is not a file` };
    await access(file, constants.R_OK);
    return undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { path, message: `${file} cannot be read (${code})` };
  }
}
