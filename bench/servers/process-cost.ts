import { readFile, writeFile } from 'node:fs/promises';

/** The kernel's clock ticks a second, as Linux shows them to programs. */
const ticksPerSecond = 100;

/**
 * Processor seconds that a process and its children have had; undefined where /proc does not say.
 */
export async function processorSeconds(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const theirs = await Promise.all(
    children
      .split(' ')
      .filter(Boolean)
      .map((child) => processorSeconds(Number(child))),
  );
  return theirs.reduce<number>((sum, seconds) => sum + (seconds ?? 0), own);
}

/** The most memory that a process and its children have had since resetPeak, MB. */
export async function peakOfAll(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const theirs = await Promise.all(
    children
      .split(' ')
      .filter(Boolean)
      .map((child) => peakOfAll(Number(child))),
  );
  return theirs.reduce((sum, megabytes) => sum + megabytes, (await peakMegabytes(pid)) ?? Number.NaN);
}

/**
 * The most memory (resident set, MB) that a process has had since resetPeak; undefined where /proc
 * does not say.
 */
export async function peakMegabytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return kibibytes === undefined ? undefined : (Number(kibibytes) * 1024) / 1e6;
}

/**
 * Starts peakMegabytes anew; false where the kernel does not allow it, and the peak goes back to
 * the start.
 */
export async function resetPeak(pid: number): Promise<boolean> {
  return writeFile(`/proc/${pid}/clear_refs`, '5').then(
    () => true,
    () => false,
  );
}
