import { readFile } from 'node:fs/promises';
import { located, parseConfigDocument } from '../../config/document.ts';
import { ConfigError } from '../../config/faults.ts';
import { type Config, load } from '../../config/load.ts';
import type { Io } from '../flags/io.ts';
import { fileFaults } from './file-faults.ts';

/**
 * The checked configuration of a file, or the defaults. `settings`: what the file held at an
 * earlier time, in place of what it holds. Throws `ConfigError` with all faults.
 */
export async function configFile(
  fileName: string | undefined,
  { env }: Pick<Io, 'env'>,
  settings?: string,
): Promise<Config> {
  if (fileName === undefined) return load('', env);
  const text = settings ?? (await configFileText(fileName));
  const config = load(text, env, { fileName });
  const refusals = await fileFaults(config);
  if (refusals.length === 0) return config;
  throw new ConfigError(fileName, located(refusals, parseConfigDocument(text)));
}

/** The text of a configuration file. Throws `ConfigError` for one that cannot be read. */
export async function configFileText(fileName: string): Promise<string> {
  try {
    return await readFile(fileName, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new ConfigError(fileName, [{ path: '', message: `cannot be read (${code})` }]);
  }
}
