import { readdir, readFile } from 'node:fs/promises';
import { ran } from './beside-program.ts';

/** A limit of a process that runs. */
export interface ProcessLimit {
  /** Sets it back, where it is still the same process: its number may be another's by then. */
  end(): Promise<void>;
  /** 1: the process has the limit, or has ended under it. 0: something else took the limit away. */
  met(): Promise<number>;
}

const limitWords = { nofile: 'Max open files', data: 'Max data size' } as const;
type ProcessLimitName = keyof typeof limitWords;

/** Sets a soft limit of a running process. `data`: bytes. */
export async function limited(pid: number, limit: ProcessLimitName, value: number): Promise<ProcessLimit> {
  const began = await beganOf(pid);
  const before = await limitOf(pid, limit);
  const isSame = async (): Promise<boolean> => began !== undefined && (await beganOf(pid)) === began;
  await setLimit(pid, limit, String(value));
  return {
    async end() {
      if (await isSame()) await setLimit(pid, limit, before).catch(() => undefined);
    },
    async met() {
      const now = await limitOf(pid, limit).catch(() => undefined);
      return now === String(value) || !(await isSame()) ? 1 : 0;
    },
  };
}

async function limitOf(pid: number, limit: ProcessLimitName): Promise<string> {
  const words = limitWords[limit];
  const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
  const line = limits.split('\n').find((each) => each.startsWith(words)) ?? '';
  return line.slice(words.length).trim().split(/\s+/)[0] || 'unlimited';
}

async function setLimit(pid: number, limit: ProcessLimitName, value: string): Promise<void> {
  const { code, said } = await ran('prlimit', ['--pid', String(pid), `--${limit}=${value}:`]);
  if (code !== 0) throw new Error(`prlimit cannot set ${limit} of process ${pid}: ${said.trim()}`);
}

/** When a process began, in ticks since the machine did; undefined: there is none. */
async function beganOf(pid: number): Promise<string | undefined> {
  return (await statOf(pid))?.[19];
}

/** Whether a process stands still (SIGSTOP). */
export async function isStopped(pid: number | undefined): Promise<boolean> {
  return pid !== undefined && (await statOf(pid))?.[0] === 'T';
}

/** The fields after the name, which may have spaces and brackets (`proc_pid_stat`(5)). */
async function statOf(pid: number): Promise<readonly string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Bytes of private memory that a process may write, as `limited` counts them. */
export async function dataBytesOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return 1024 * Number(/^VmData:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
}

/** How many descriptors a process has open. */
export async function openFilesOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}
