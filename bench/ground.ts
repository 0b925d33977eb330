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

/** A directory on a disk: `other` where that is on one, else below the temporary one. */
export async function diskGround(other: string): Promise<string | undefined> {
  if (!(await isInMemory(other))) return mkdtemp(join(other, 'disk-'));
  return (await isInMemory(tmpdir())) ? undefined : mkdtemp(join(tmpdir(), 'quayside-bench-'));
}

/** Whether what is written there stays in memory (`TMPFS_MAGIC` of Linux). */
async function isInMemory(directory: string): Promise<boolean> {
  return (await statfs(directory)).type === 0x01021994;
}

/** Takes the directory away with all that is in it. */
export function cleared(directory: string): Promise<void> {
  return rm(directory, { recursive: true, force: true, maxRetries: 3 });
}

async function hasRoom(): Promise<boolean> {
  const space = await statfs(ram).catch(() => undefined);
  return space !== undefined && space.bavail * space.bsize > neededBytes && freemem() > neededBytes;
}
