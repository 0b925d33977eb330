import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Bytes } from '../../oci/content.ts';
import { disk } from './disk.ts';

/** A directory of files that are worth nothing once their process is gone. */
export interface TempFiles {
  /** A unique name in the directory, which need not exist yet. */
  newPath(): string;
  /** Writes `path` durably: it appears whole or not at all. */
  publish(path: string, bytes: Bytes, mode?: number): Promise<void>;
  /** Deletes files of dead processes, never of a living one. Resolves to their number. */
  sweep(options?: { readonly signal?: AbortSignal }): Promise<number>;
}

/** Who made a temporary file; it is part of the file's name. */
interface Owner {
  readonly host: string;
  readonly pid: number;
  /** The process's start time: tells it from an earlier one with its pid, such as pid 1. */
  readonly born: string;
}

/** Processes of other hosts cannot be checked: their files stay this long after the last write. */
const foreignMs = 60 * 60 * 1000;
const shape = /^(?<host>[A-Za-z0-9.-]*)~(?<pid>\d+)~(?<born>[0-9a-z]+)~[0-9a-f]+$/;

export function createTempFiles(directory: string): TempFiles {
  const self = currentOwner();
  const { host, pid, born } = self;
  const newPath = (): string => join(directory, `${host}~${pid}~${born}~${randomBytes(8).toString('hex')}`);
  return {
    newPath,
    async publish(path, bytes, mode) {
      const temp = newPath();
      try {
        await disk.writeNew(temp, bytes, mode);
        await disk.publish(temp, path);
      } catch (error) {
        await rm(temp, { force: true }).catch(() => {});
        throw error;
      }
    },
    async sweep({ signal } = {}) {
      let swept = 0;
      for await (const path of leftovers(directory, self)) {
        signal?.throwIfAborted();
        await disk.write(rm(path, { force: true }));
        swept += 1;
      }
      return swept;
    },
  };
}

async function* leftovers(directory: string, self: Owner) {
  const entries = await disk.ifPresent(readdir(directory));
  for (const name of entries ?? []) {
    const owner = ownerOf(name);
    const path = join(directory, name);
    if (owner !== undefined && (isDead(owner, self) ?? (await isOld(path)))) yield path;
  }
}

/** Whether the owner's process is gone; undefined when that cannot be told from here. */
function isDead(owner: Owner, self: Owner): boolean | undefined {
  if (owner.host !== self.host) return undefined;
  if (owner.pid === self.pid) return owner.born !== self.born;
  return isRunning(owner.pid) ? undefined : true;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

async function isOld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > foreignMs;
}

function currentOwner(): Owner {
  return {
    host: hostname().replace(/[^A-Za-z0-9.-]/g, '-'),
    pid: process.pid,
    born: Math.round(performance.timeOrigin).toString(36),
  };
}

function ownerOf(name: string): Owner | undefined {
  const parts = shape.exec(name)?.groups;
  if (parts === undefined) return undefined;
  return { host: parts['host'] ?? '', pid: Number(parts['pid']), born: parts['born'] ?? '' };
}
