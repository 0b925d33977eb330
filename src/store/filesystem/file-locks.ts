import { createHash } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Semaphore } from '../../base/flow/semaphore.ts';
import { hasCode } from '../../base/state/durable-file.ts';
import { sleep } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import { disk } from './disk.ts';

interface FileLocks {
  /** Runs after everything this process began earlier under the same name. */
  inTurn<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Also excludes other processes under that name. Throws `UNAVAILABLE` after 20 s of waiting. */
  alone<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/**
 * Work under a lock is a small read and write, so one of this age belongs to a dead process. (Two
 * processes that find it at once may both enter: the price of a lock that outlives its owner.)
 */
const staleMs = 10_000;
const longestWaitMs = 20_000;
const pollMs = 10;

/** Locks as files of `directory`, created with O_EXCL. */
export function createFileLocks(directory: string): FileLocks {
  const turns = new Semaphore({ permits: 1 });
  const inTurn: FileLocks['inTurn'] = (name, work) => turns.run(work, undefined, name);

  return {
    inTurn,
    alone: (name, work) =>
      inTurn(name, async () => {
        const path = join(directory, createHash('sha256').update(name).digest('hex'));
        await acquired(path);
        try {
          return await work();
        } finally {
          await rm(path, { force: true });
        }
      }),
  };
}

async function acquired(path: string): Promise<void> {
  const deadline = performance.now() + longestWaitMs;
  while (!(await isCreated(path))) {
    if (performance.now() > deadline)
      throw new RegistryError('UNAVAILABLE', 'a record of the store stayed locked');
    if (await isStale(path)) await broken(path);
    else await sleep(pollMs + Math.random() * pollMs);
  }
}

async function isCreated(path: string): Promise<boolean> {
  try {
    const file = await disk.create(path);
    await file.close();
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > staleMs;
}

/** By rename, so that of several that find the same stale lock only one removes it. */
async function broken(path: string): Promise<void> {
  const aside = `${path}.${Math.random().toString(36).slice(2)}`;
  const isMine = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (isMine) await rm(aside, { force: true });
}
