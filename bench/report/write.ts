import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { markdown } from './markdown.ts';
import { picture } from './picture.ts';
import type { Report } from './report.ts';

/** Writes `latest.json`, `latest.md` and `latest.svg`, and the same JSON under its date. */
export async function written(report: Report, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const json = `${JSON.stringify(report, undefined, 1)}\n`;
  const dated = `${report.startedAt.slice(0, 10)}${report.isShort ? '-short' : ''}.json`;
  await writeFile(join(directory, 'latest.json'), json);
  await writeFile(join(directory, dated), json);
  await writeFile(join(directory, 'latest.md'), markdown(report));
  await writeFile(join(directory, 'latest.svg'), picture(report));
}
