import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasSlept } from '../../base/time/wait.ts';
import { ran } from './beside-program.ts';

/** A directory that can be full, and read-only. */
export interface DrillDisk {
  readonly path: string;
  /** Undefined: why it cannot be troubled. */
  readonly trouble?: {
    fill(): Promise<void>;
    empty(): Promise<void>;
    setReadOnly(on: boolean): Promise<void>;
  };
  close(): Promise<void>;
}

const diskSize = '192m';
/** How the table of mounts calls the file system of a drill. */
export const diskSource = 'quayside-drill';
const fillerName = 'filler-of-the-drill';

/** A file system in memory where the user may mount one, else a directory. */
export async function createDrillDisk(path: string): Promise<DrillDisk> {
  await mkdir(path, { recursive: true });
  const mounted = await ran('mount', ['-t', 'tmpfs', '-o', `size=${diskSize}`, diskSource, path]);
  if (mounted.code !== 0) return { path, close: async () => undefined };
  const filler = join(path, fillerName);
  return {
    path,
    trouble: {
      fill: () => filled(filler),
      empty: () => rm(filler, { force: true }),
      setReadOnly: (on) => remounted(path, on ? 'ro' : 'rw'),
    },
    close: async () => void (await ran('umount', ['-l', path])),
  };
}

async function filled(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (const chunk = Buffer.alloc(64 * 1024, 1); ; ) await file.write(chunk);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    await file.close();
  }
}

/** Linux refuses `ro` while a file is open for writing: there are pauses between downloads. */
async function remounted(path: string, mode: 'ro' | 'rw'): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { code } = await ran('mount', ['-o', `remount,${mode}`, path]);
    if (code === 0) return;
    await hasSlept(50);
  }
  throw new Error(`${path} cannot be remounted ${mode}: files are open for writing all the time`);
}
