import { readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoredObject } from '../support/s3-double.ts';
import type { Random } from './random.ts';

/** Harms what the store holds, as a bad disk or a careless hand does, while it is in use. */
export async function damageFiles(random: Random, store: string): Promise<void> {
  const dice = random.next();
  if (dice < 0.15) return breakDirectory(random, store);
  const files = await filesOf(join(store, dice < 0.7 ? 'v1/blobs' : 'v1'));
  const share = random.isLucky(0.25) ? 1 : 0.1;
  for (const file of files) {
    if (!random.isLucky(share)) continue;
    const harm = random.isLucky(0.5) ? rm(file, { force: true }) : cut(file, random.next());
    await harm.catch(ignoreAbsent);
  }
}

/** Harms what a bucket holds: objects are lost, or cut off. */
export function damageObjects(random: Random, objects: Map<string, StoredObject>): void {
  const share = random.isLucky(0.25) ? 1 : 0.1;
  for (const [key, object] of [...objects]) {
    if (!random.isLucky(share)) continue;
    const bytes = object.bytes.subarray(0, random.below(object.bytes.length + 1));
    if (random.isLucky(0.5)) objects.delete(key);
    else objects.set(key, { ...object, bytes });
  }
}

/** Changes one byte of some blobs. A store in use does not look for this on every read. */
export async function garbleBlobs(random: Random, store: string): Promise<void> {
  for (const file of await filesOf(join(store, 'v1/blobs'))) {
    const bytes = await readFile(file);
    if (random.isLucky(0.5)) await writeFile(file, garbled(random, bytes));
  }
}

/** The same in a bucket. */
export function garbleObjects(random: Random, objects: Map<string, StoredObject>): void {
  for (const [key, object] of objects) {
    if (!key.includes('v1/blobs/') || random.isLucky(0.5)) continue;
    objects.set(key, { ...object, bytes: garbled(random, Buffer.from(object.bytes)) });
  }
}

function garbled(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length);
  if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ 0x55;
  return bytes;
}

/** The files below a directory, which may be missing. */
export async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** For some time, a part of the store cannot be read or written at all. */
async function breakDirectory(random: Random, store: string): Promise<void> {
  const directory = join(store, 'v1', random.pick(['blobs', 'members', 'tags']));
  const ms = random.below(60);
  try {
    await rename(directory, `${directory}.away`);
  } catch (error) {
    return ignoreAbsent(error);
  }
  await writeFile(directory, '', { flag: 'wx' }).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, ms));
  // The service may make the directory anew, and write into it, at any moment.
  for (let isBack = false; !isBack; ) {
    await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 5 });
    isBack = await rename(`${directory}.away`, directory).then(
      () => true,
      (error: unknown) => ignoreFilled(error),
    );
  }
}

async function cut(file: string, kept: number): Promise<void> {
  const { length } = await readFile(file);
  await truncate(file, Math.floor(length * kept));
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}

function ignoreFilled(error: unknown): false {
  if (error instanceof Error && 'code' in error && error.code === 'ENOTEMPTY') return false;
  throw error;
}
