import { writeFile } from 'node:fs/promises';
import type { DrillResult } from '../../drill/drill.ts';
import { drillPage } from '../../drill/play/page.ts';

/** Writes the result, and its page beside it. Gives the names of both. */
export async function writeResult(result: DrillResult, file: string): Promise<readonly string[]> {
  const page = file.replace(/\.json$/, '.md');
  await writeFile(file, `${JSON.stringify(result, undefined, 2)}\n`);
  await writeFile(page, drillPage(result));
  return [file, page];
}
