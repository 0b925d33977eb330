import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { markdown } from './markdown.ts';
import { picture } from './picture.ts';
import type { Report } from './report.ts';

/** Writes `latest.json`, `latest.md` and `latest.svg`. */
export async function written(report: Report, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'latest.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await writeFile(join(directory, 'latest.md'), markdown(report));
  await writeFile(join(directory, 'latest.svg'), picture(report));
}
