/**
 * Writes the pages of `docs/reference` and the manual page, which are made of the sources:
 *
 *     npm run reference
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { referencePages } from './pages.ts';

for (const [path, text] of await referencePages()) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
