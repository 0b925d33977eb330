import { stat } from 'node:fs/promises';

export interface FileWatchOptions {
  /** How often the files are looked at, in milliseconds. */
  readonly everyMs: number;
  /** Awaited before the files are looked at again. Must not reject. */
  readonly changed: () => Promise<void>;
}

/** Something that goes on until it is told to end. */
export interface Watch {
  close(): void;
}

/**
 * Looks at files for as long as the process has other work, and says when one of them became another: by time of modification, size or
 * inode, which change too when a mounted ConfigMap or Secret is replaced by its symlink. Looking, since a notification would be about
 * the link, and on some file systems never comes.
 */
export function fileWatch(files: readonly string[], { everyMs, changed }: FileWatchOptions): Watch {
  let known = stampOf(files);
  let isLooking = false;

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    const stamp = await stampOf(files);
    if (stamp !== (await known)) {
      known = Promise.resolve(stamp);
      await changed();
    }
    isLooking = false;
  }

  const timer = setInterval(() => void look(), everyMs).unref();
  return { close: () => clearInterval(timer) };
}

/** Of a file that is not there, that it is not. */
async function stampOf(files: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    files.map((file) =>
      stat(file, { bigint: true }).then(
        ({ mtimeNs, ino, size }) => `${mtimeNs}-${ino}-${size}`,
        () => 'absent',
      ),
    ),
  );
  return stamps.join(' ');
}
