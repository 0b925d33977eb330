import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { markdown } from './markdown.ts';
import { picture } from './picture.ts';
import type { Report } from './report.ts';

/** Writes `latest.json`, `latest.md` and `latest.svg`. */
export async function written(report: Report, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'latest.json'), jsonOf(report));
  await writeFile(join(directory, 'latest.md'), markdown(report));
  await writeFile(join(directory, 'latest.svg'), picture(report));
}

/**
 * Keeps the sections in the file of the day and of the form. Sections that are there already stay,
 * except for those that were measured again.
 */
export async function kept(report: Report, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const day = report.startedAt.slice(0, 10);
  const file = join(directory, `${day}${report.form === 'long' ? '' : `-${report.form}`}.json`);
  const before = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as Report,
    () => undefined,
  );
  const again = new Set(report.sections.map(({ name }) => name));
  const others = before?.sections.filter(({ name }) => !again.has(name)) ?? [];
  await writeFile(file, jsonOf({ ...report, sections: [...others, ...report.sections] }));
}

function jsonOf(report: Report): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
