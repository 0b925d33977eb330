import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

const ram = '/dev/shm';
const neededBytes = 10e9;

/**
 * A directory for everything the bench writes, about 6 GB at most: in memory where there is plenty,
 * so that the disk is not what is measured; in `chosen`, when given.
 */
export async function ground(chosen: string | undefined): Promise<string> {
  const parent = chosen ?? ((await hasRoom()) ? ram : tmpdir());
  return mkdtemp(join(parent, 'quayside-bench-'));
}

/** Takes the directory away with all that is in it. */
export function cleared(directory: string): Promise<void> {
  return rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

async function hasRoom(): Promise<boolean> {
  const space = await statfs(ram).catch(() => undefined);
  return space !== undefined && space.bavail * space.bsize > neededBytes && freemem() > neededBytes;
}
