import { open, writeFile } from 'node:fs/promises';
import type { DrillResult } from '../../drill/drill.ts';
import { drillPage } from '../../drill/play/page.ts';
import { UsageError } from '../flags/arguments.ts';

/** Before half an hour of drills. Throws `UsageError` where the result could not be written. */
export async function checkWritable(file: string): Promise<void> {
  try {
    await (await open(file, 'a')).close();
  } catch (error) {
    throw new UsageError(`--output ${file} cannot be written: ${String(error)}`, { cause: error });
  }
}

/** Writes the result, and its page beside it. Gives the names of both. */
export async function writeResult(result: DrillResult, file: string): Promise<readonly string[]> {
  const page = file.replace(/\.json$/, '.md');
  await writeFile(file, `${JSON.stringify(result, undefined, 2)}\n`);
  await writeFile(page, drillPage(result));
  return [file, page];
}
