import { lstat, mkdtemp, readdir, readFile, readlink, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ran } from './beside-program.ts';
import { diskSource } from './machine.ts';

const memoryFolder = '/dev/shm';
const leastBytes = 2 * 2 ** 30;
const prefix = 'quayside-drill-';

/** A new folder whose name says which process owns it. Those of killed drills go first. */
export async function createDrillFolder(): Promise<string> {
  for (const parent of [memoryFolder, tmpdir()]) await sweepDrillFolders(parent);
  return await mkdtemp(join(await roomyFolder(), `${prefix}${await ownerOf(process.pid)}-`));
}

/**
 * Removes the folders of drills in `parent` whose process has ended, and unmounts their disks. Only
 * those of this user, and of processes whose numbers mean the same as ours.
 */
export async function sweepDrillFolders(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const [, owner, pid = ''] = /^quayside-drill-(\d+-(\d+))-/.exec(name) ?? [];
    if (owner === undefined || owner !== (await ownerOf(Number(pid))) || isAlive(Number(pid))) continue;
    const folder = join(parent, name);
    const found = await lstat(folder).catch(() => undefined);
    if (found?.isDirectory() !== true || found.uid !== process.getuid?.()) continue;
    const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
    for (const path of disksIn(folder, mounts)) await ran('umount', ['-l', path]);
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** The disks of a drill that are mounted in a folder, of the text of `/proc/self/mounts`. */
export function disksIn(folder: string, mounts: string): readonly string[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([source, path = '']) => (source === diskSource && path.startsWith(`${folder}/`) ? path : []));
}

/** The namespace of processes (0 where there are none), and the number in it. */
async function ownerOf(pid: number): Promise<string> {
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${/\d+/.exec(namespace)?.[0] ?? 0}-${pid}`;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** In memory where there is room: what else the disk of the machine does is no part of a drill. */
async function roomyFolder(): Promise<string> {
  const found = await statfs(memoryFolder).catch(() => undefined);
  return found !== undefined && found.bavail * found.bsize > leastBytes ? memoryFolder : tmpdir();
}
