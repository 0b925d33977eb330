// Room `base/state`: what is kept: bounded maps, records written behind, files that change while we
// run, and files that outlive a crash. In: paths, writers. Out: their holders. Imports: base, node.

import { readFile, stat } from 'node:fs/promises';
import type { MaybePromise } from '../flow/maybe-promise.ts';
import { shared } from '../flow/single-flight.ts';

/** A value as it is now: at once where it is known, else when it is read. */
export type Current<T> = () => MaybePromise<T>;

export interface RereadOptions {
  /** How long a reading is used before the files are checked again, in ms. Default 1,000. */
  readonly everyMs?: number;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

interface ReadOnChangeOptions extends RereadOptions {
  /** What is thrown for files that cannot be read or parsed. Default: the failure itself. */
  readonly failure?: (cause: unknown) => unknown;
}

/**
 * Follows files that are replaced while the process runs, as mounted secrets are. `parse` gets
 * their texts, in order, whenever one of them changed; between changes the same value is returned,
 * so that its identity tells whether something was rotated. Callers at the same time share one
 * look. A failure is not replaced by the value before it, which may have been revoked.
 */
export function readOnChange<T>(
  files: readonly string[],
  parse: (texts: readonly string[]) => T,
  { everyMs = 1000, now = () => performance.now(), failure = (cause) => cause }: ReadOnChangeOptions = {},
): Current<T> {
  let current: { readonly stamp: string; readonly value: T } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;

  const look = shared(async (): Promise<T> => {
    try {
      const stamp = (await Promise.all(files.map(stampOf))).join(' ');
      if (current?.stamp !== stamp) {
        const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
        current = { stamp, value: parse(texts) };
      }
      lookedAt = now();
      return current.value;
    } catch (cause) {
      lookedAt = Number.NEGATIVE_INFINITY;
      throw failure(cause);
    }
  });

  return () => {
    if (current !== undefined && now() - lookedAt < everyMs) return current.value;
    return look();
  };
}

/** The same for one file, which is looked at each time that it is used. */
export function freshFile<T>(path: string, parse: (text: string) => T): Current<T> {
  return readOnChange([path], ([text = '']) => parse(text), { everyMs: 0 });
}

interface FileWatchOptions {
  readonly everyMs: number;
  /** What is known of the files: a change since then counts. Default: what they are now. */
  readonly since?: Promise<string>;
  /** Awaited before the files are looked at again. Must not reject. */
  readonly changed: () => Promise<void>;
}

/** Something that goes on until it is closed. */
export interface Watch {
  close(): void;
}

/**
 * Looks at files as long as the process has other work, and calls `changed` when one of them
 * became another. Polls, since a notification would be about the link of a mounted ConfigMap or
 * Secret, and on some file systems never comes.
 */
export function watchFiles(files: readonly string[], { everyMs, since, changed }: FileWatchOptions): Watch {
  let known = since ?? stampsOf(files);
  let isLooking = false;

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    const stamp = await stampsOf(files);
    if (stamp !== (await known)) {
      known = Promise.resolve(stamp);
      await changed();
    }
    isLooking = false;
  }

  const timer = setInterval(() => void look(), everyMs).unref();
  return { close: () => clearInterval(timer) };
}

/** Tells files from others in their places. Taken before they are read. Never rejects. */
export async function stampsOf(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map((file) => stampOf(file).catch(() => 'absent')))).join(' ');
}

/**
 * Time of modification, inode and size of a file, which change too when a mounted ConfigMap or
 * Secret is replaced by its symlink. Rejects for a file that is not there.
 */
async function stampOf(file: string): Promise<string> {
  const { mtimeNs, ino, size } = await stat(file, { bigint: true });
  return `${mtimeNs}-${ino}-${size}`;
}
