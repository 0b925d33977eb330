// Room `load/report`: results for people. In: the results of loads. Out: Markdown, pictures, tables
// of comparison, as text. Imports: base, load.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LoadResult } from '../result.ts';
import { parseLoadResult } from '../result-file.ts';
import { loadMarkdown } from './markdown.ts';
import { loadPlots } from './plots.ts';

/**
 * Writes `FILE.json`, `FILE.md` and a picture `FILE-NAME.svg` for each plot; `FILE` may end with
 * `.json`. Resolves to what was written.
 */
export async function writeReport(result: LoadResult, file: string): Promise<readonly string[]> {
  const stem = file.endsWith('.json') ? file.slice(0, -'.json'.length) : file;
  await mkdir(dirname(stem), { recursive: true });
  const pictureOf = (plot: string): string => `${basename(stem)}-${plot}.svg`;
  const texts: readonly (readonly [name: string, text: string])[] = [
    [`${stem}.json`, `${JSON.stringify(result, undefined, 1)}\n`],
    [`${stem}.md`, loadMarkdown(result, pictureOf)],
    ...loadPlots(result).map(({ name, svg }) => [join(dirname(stem), pictureOf(name)), svg] as const),
  ];
  for (const [name, text] of texts) await writeFile(name, text);
  return texts.map(([name]) => name);
}

/** The result that a report file holds. Throws when it cannot be read or is none. */
export async function readResult(file: string): Promise<LoadResult> {
  const text = await readFile(file, 'utf8');
  try {
    return parseLoadResult(text);
  } catch (error) {
    throw new Error(`${file} ${error instanceof Error ? error.message : String(error)}`);
  }
}
