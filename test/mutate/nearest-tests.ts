import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Gives the test files that are nearest to a source file, the nearest first. */
type NearestTests = (file: string) => readonly string[];

/**
 * Test files by the number of imports between them and a source file; of two as near as each other,
 * the one whose folder mirrors the source's comes first. The test that mirrors the file itself is
 * nearest, and for a file that is imported nowhere all tests of its folder count. `files` are all
 * TypeScript files below `root`.
 */
export async function nearestTests(root: string, files: readonly string[]): Promise<NearestTests> {
  const importers = new Map<string, string[]>();
  for (const file of files) {
    for (const target of await importsOf(root, file)) {
      importers.set(target, [...(importers.get(target) ?? []), file]);
    }
  }
  return (file) => {
    const distances = distancesFrom(file, importers);
    const found = files
      .filter((path) => path.endsWith('.test.ts'))
      .flatMap((test) => {
        const distance = isMirror(test, file) ? 0 : (distances.get(test) ?? neighbour(test, file));
        return distance === undefined ? [] : [{ test, distance: distance - nearness(test, file) }];
      });
    return found.sort((one, other) => one.distance - other.distance).map(({ test }) => test);
  };
}

async function importsOf(root: string, file: string): Promise<string[]> {
  const text = await readFile(join(root, file), 'utf8');
  const lines = text.matchAll(
    /^(?:import|export)\s+(?!type\s)[^;'"]*?from\s+'(\.[^']+)'|(?:import|URL)\('(\.?[^':]+\.[jt]s)'/gm,
  );
  return [...lines].map(([, from, named = '']) => join(dirname(file), from ?? named));
}

function distancesFrom(file: string, importers: ReadonlyMap<string, readonly string[]>): Map<string, number> {
  const distances = new Map([[file, 0]]);
  for (const [path, distance] of distances) {
    for (const importer of importers.get(path) ?? []) {
      if (!distances.has(importer)) distances.set(importer, distance + 1);
    }
  }
  return distances;
}

function mirrored(test: string): string {
  return test.replace(/^test\//, 'src/').replace(/\.test\.ts$/, '.ts');
}

function isMirror(test: string, file: string): boolean {
  return mirrored(test) === file;
}

/** A distance for what is started by its path and imported nowhere. */
function neighbour(test: string, file: string): number | undefined {
  return dirname(mirrored(test)) === dirname(file) ? 2 : undefined;
}

/** Below 1: how much of the path two files share. */
function nearness(test: string, file: string): number {
  const [ours, theirs] = [dirname(mirrored(test)).split('/'), dirname(file).split('/')];
  const shared = ours.findIndex((part, index) => part !== theirs[index]);
  const name = basename(test, '.test.ts') === basename(file, '.ts') ? 0.5 : 0;
  return name + (shared < 0 ? ours.length : shared) / 20;
}
