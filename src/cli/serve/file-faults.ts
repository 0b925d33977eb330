import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { tokensIn } from '../../auth/clusters/operators.ts';
import { parseTokenKeyFile, parseTokenKeys } from '../../auth/tokens/token-keys.ts';
import type { ConfigRefusal, FaultPath } from '../../config/faults.ts';
import { type NamedFile, unreadableFiles } from '../../config/files.ts';
import type { Config } from '../../config/load.ts';

/** Faults of the named files: unreadable ones, unusable token keys. Shows no content. */
export async function fileFaults(config: Config): Promise<readonly ConfigRefusal[]> {
  const unreadable = await unreadableFiles(config);
  if (unreadable.length > 0) return unreadable;
  const faults = await Promise.all([...keyFiles(config).map(keyFaults), operatorFaults(config)]);
  return faults.flat();
}

async function operatorFaults({ admin: { tokenFile } }: Config): Promise<readonly ConfigRefusal[]> {
  if (tokenFile === undefined) return [];
  const text = await readFile(tokenFile, 'utf8');
  return complaints(['admin', 'tokenFile'], () => tokensIn(text));
}

/** The files of each host with keys, as tokenKeys reads them. */
function keyFiles({ hosts }: Config): readonly (readonly NamedFile[])[] {
  return Object.entries(hosts).map(([name, { tokenKeyFiles = [], tokenSecretFile }]) => [
    ...tokenKeyFiles.map((file, index) => ({ path: ['hosts', name, 'tokenKeyFiles', index], file })),
    ...(tokenSecretFile === undefined
      ? []
      : [{ path: ['hosts', name, 'tokenSecretFile'], file: tokenSecretFile }]),
  ]);
}

async function keyFaults(files: readonly NamedFile[]): Promise<readonly ConfigRefusal[]> {
  const keys = await Promise.all(
    files.map(async (key) => ({ ...key, text: await readFile(key.file, 'utf8') })),
  );
  const faults = keys.flatMap(({ path, file, text }) =>
    complaints(path, () => parseTokenKeyFile(text, basename(file))),
  );
  const [first] = keys;
  if (faults.length > 0 || first === undefined) return faults;
  return complaints(first.path, () => parseTokenKeys(keys.map(({ text }) => text)));
}

function complaints(path: FaultPath, parse: () => unknown): readonly ConfigRefusal[] {
  try {
    parse();
    return [];
  } catch (error) {
    return [{ path, message: error instanceof Error ? error.message : 'is not a token key' }];
  }
}
