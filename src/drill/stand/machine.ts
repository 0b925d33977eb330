import { mkdir, open, readFile, rm } from 'node:fs/promises';
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
const fillerName = 'filler-of-the-drill';

/** A file system in memory where the user may mount one, else a directory. */
export async function createDrillDisk(path: string): Promise<DrillDisk> {
  await mkdir(path, { recursive: true });
  const mounted = await ran('mount', ['-t', 'tmpfs', '-o', `size=${diskSize}`, 'quayside-drill', path]);
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

/** Sets a soft limit of a running process; resolves to what sets it back. `data`: bytes. */
export async function limited(
  pid: number,
  limit: 'nofile' | 'data',
  value: number,
): Promise<() => Promise<void>> {
  const words = { nofile: 'Max open files', data: 'Max data size' };
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
  const line = limits.split('\n').find((each) => each.startsWith(words[limit])) ?? '';
  const [before = 'unlimited'] = line.slice(words[limit].length).trim().split(/\s+/);
  await setLimit(pid, limit, String(value));
  return () => setLimit(pid, limit, before).catch(() => undefined);
}

async function setLimit(pid: number, limit: string, value: string): Promise<void> {
  const { code, said } = await ran('prlimit', ['--pid', String(pid), `--${limit}=${value}:`]);
  if (code !== 0) throw new Error(`prlimit cannot set ${limit} of process ${pid}: ${said.trim()}`);
}

/** Bytes of private memory that a process may write, as `limited` counts them. */
export async function dataBytesOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return 1024 * Number(/^VmData:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
}

/** How many descriptors a process has open. */
export async function openFilesOf(pid: number): Promise<number> {
  const { readdir } = await import('node:fs/promises');
  return (await readdir(`/proc/${pid}/fd`)).length;
}
