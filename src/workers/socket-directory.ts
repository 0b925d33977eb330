import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the sockets between the workers of one primary are. */
export interface SocketDirectory {
  readonly path: string;
  /** Removes the directory and all that is in it. Never rejects. */
  remove(): Promise<void>;
}

/** The longest path of a Unix socket on Linux is 107 bytes; on others some less. */
const longestPath = 100;
const longestName = '/worker-64.sock'.length;

/**
 * A new directory below the first of `parents` where that works, for this user alone (mode 0700).
 * Its name is random: two containers that share a parent, even with one host name, never share it.
 */
export async function createSocketDirectory(parents: readonly string[]): Promise<SocketDirectory> {
  const faults: string[] = [];
  for (const parent of parents) {
    const start = join(parent, 'quayside-workers-');
    if (Buffer.byteLength(start) + 6 + longestName > longestPath) faults.push(`${parent} is too long a path`);
    else {
      try {
        const path = await mkdtemp(start);
        return { path, remove: () => rm(path, { recursive: true, force: true }).catch(() => undefined) };
      } catch (error) {
        faults.push(error instanceof Error ? error.message : String(error));
      }
    }
  }
  throw new Error(`there is no directory for the sockets between workers: ${faults.join('; ')}`);
}

/** Removes it at once, in a worker whose primary was killed: all workers end then. */
export function removeSocketDirectory(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Another worker removes it at the same time.
  }
}
