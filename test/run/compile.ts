/**
 * Loads the sources, and what they import, in a process that ends. In a fresh clone the processes
 * of the pool begin at the same time and compile the same files, and keep them only when they end:
 * after this one they find most of it compiled.
 */
import { glob, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import 'tap';

/** They act when they are loaded. */
const { entry }: { entry: readonly string[] } = JSON.parse(await readFile('knip.json', 'utf8'));

for await (const file of glob('src/**/*.ts')) {
  // The page of the console needs a browser.
  if (entry.includes(file) || file.startsWith('src/console/')) continue;
  await import(pathToFileURL(resolve(file)).href);
}
process.exit();
